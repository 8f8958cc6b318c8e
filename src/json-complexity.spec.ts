import { MAX_JSON_DEPTH, MAX_JSON_VALUES, tooComplex } from './json-complexity.js';

const judge = (json: string) => tooComplex(Buffer.from(json));
const nested = (depth: number) => `${'[{"a":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)}`;
const message = { recipient_phone: '+905551111111', content: '[{"quoted, \\ and deep":[[[' };

it.each([
  ['a list of 1,000 messages', JSON.stringify(Array.from({ length: 1000 }, () => message))],
  ['text that is full of brackets, commas and quotes', JSON.stringify({ content: '[,"{\\'.repeat(20_000) })],
  ['as deep as it may be', nested(MAX_JSON_DEPTH)],
  ['many siblings, none of them deep', `[${'[],{},'.repeat(1000)}[]]`],
  ['as many values as there may be', `[${'1,'.repeat(MAX_JSON_VALUES - 1)}1]`],
  ['text that does not end', `"\\`],
  ['nothing', ''],
])('takes %s', (_what, json) => {
  expect(judge(json)).toBeNull();
});

it.each([
  ['one level too deep', nested(MAX_JSON_DEPTH + 2), 'deeper than 32 levels'],
  ['2 million brackets', '['.repeat(2_000_000) + ']'.repeat(2_000_000), 'deeper than 32 levels'],
  ['one value too many', `[${'1,'.repeat(MAX_JSON_VALUES)}1]`, 'more than 10000 values'],
  [
    'fields by the thousand',
    JSON.stringify(Object.fromEntries(Array.from({ length: 10_001 }, (_, at) => [at, 0]))),
    'values',
  ],
])('refuses %s', (_what, json, reason) => {
  expect(judge(json)).toContain(reason);
});

it('reads 4 MB in much less time than parsing them takes', () => {
  const bytes = Buffer.from(`["${'\\"'.repeat(2_000_000)}"]`);
  const before = process.cpuUsage();
  expect(tooComplex(bytes)).toBeNull();
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(150);
});
