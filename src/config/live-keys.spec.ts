import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import type { RawValue } from './config-source.js';
import { LIVE_KEYS, LIVE_KEY_NAMES, liveKeyNamed, type JsonValue } from './live-keys.js';
import { parseYamlMapping } from './read-yaml-file.js';

function parsed(name: string, raw: RawValue): unknown {
  const result = liveKeyNamed(name)?.parse(raw);
  if (result?.ok !== true) throw new Error(result?.reason ?? `no key ${name}`);
  return result.value;
}

function reason(name: string, raw: RawValue): string {
  const result = liveKeyNamed(name)?.parse(raw);
  if (result === undefined || result.ok) throw new Error(`${name} took ${JSON.stringify(raw)}`);
  return result.reason;
}

const WHOLE_NUMBERS: readonly (readonly [string, number, number, number])[] = [
  ['rate_limit', 1, 1_000_000, 1],
  ['scheduler_interval', 1, 31_536_000, 1000],
  ['scheduler_queue_capacity', 1, 10_000, 1],
  ['scheduler_workers', 1, 64, 1],
  ['webhook_timeout', 1, 60, 1000],
  ['webhook_concurrency', 1, 1024, 1],
  ['max_attempts', 1, 100, 1],
];

const NONSENSE: readonly RawValue[] = [
  '  ',
  '-1',
  'abc',
  '1.5',
  '1e12',
  '0x10',
  '007',
  '+5',
  'NaN',
  'Infinity',
  'null',
  '{"a":1}',
  '[1',
  '[[1]]',
  '"',
  '1 2',
  '1_000',
  '١',
  'x'.repeat(65_536),
  '9'.repeat(65_536),
  Buffer.from([0xff, 0xfe, 0x00]),
  '\u0000',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'example.com/hook',
  'http://user:s3cret@host/',
  { nested: '1' },
  [['1']],
];

const secretOf = (bytes: number) => `whsec_${Buffer.alloc(bytes, 0xfb).toString('base64')}`;

describe('live keys', () => {
  it('has a default that fits its own limits', () => {
    for (const key of LIVE_KEYS) {
      if (key.fallback === null) continue;
      expect(key.parse(String(key.show(key.fallback)))).toEqual({ ok: true, value: key.fallback });
    }
  });

  it('ships a YAML file that holds every key that has a default, with that default', () => {
    const file = parseYamlMapping(readFileSync('config/dynamic_config.yaml', 'utf8'));
    const fromFile = Object.fromEntries([...file].map(([name, raw]) => [name, parsed(name, raw)]));
    const defaults = LIVE_KEYS.filter(({ fallback }) => fallback !== null).map(({ name, fallback }) => [
      name,
      fallback,
    ]);
    expect(fromFile).toEqual(Object.fromEntries(defaults));
    const text = readFileSync('config/dynamic_config.yaml', 'utf8');
    for (const name of LIVE_KEY_NAMES) expect(text).toContain(`${name}:`);
  });

  it.each(WHOLE_NUMBERS)('%s takes whole numbers from %d to %d and nothing beyond', (name, min, max, factor) => {
    fc.assert(
      fc.property(fc.integer({ min, max }), fc.constantFrom('', ' ', '\n'), (value, blank) => {
        expect(parsed(name, `${blank}${value}${blank}`)).toBe(value * factor);
        expect(parsed(name, `${blank}"${value}"${blank}`)).toBe(value * factor);
      }),
    );
    expect(reason(name, String(min - 1))).toContain(`from ${min} to ${max}`);
    expect(reason(name, String(max + 1))).toContain(`from ${min} to ${max}`);
    expect(reason(name, `${min}.0`)).toContain('must be a whole number');
  });

  it('refuses nonsense for every key but the auth key, in a short line that names the key and shows no password', () => {
    for (const name of LIVE_KEY_NAMES.filter((other) => other !== 'webhook_auth_key')) {
      for (const raw of NONSENSE) {
        // Nothing is a list of secrets, too: requests are not signed.
        if (name === 'webhook_signing_secrets' && raw === '  ') continue;
        const text = reason(name, raw);
        expect(text).toMatch(new RegExp(`^${name} must be `));
        expect(text.length).toBeLessThan(320);
        expect(text).not.toContain('s3cret');
        expect(text).not.toContain('\n');
      }
    }
  });

  it('never throws, whatever text or bytes come', () => {
    const raw = fc.oneof(fc.string(), fc.uint8Array(), fc.json(), fc.array(fc.string()), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(fc.constantFrom(...LIVE_KEYS), raw, (key, value) => {
        expect(typeof key.parse(value).ok).toBe('boolean');
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['true', true],
    ['"false"', false],
    [' TRUE ', true],
  ])('auto_sending takes %s', (raw, value) => {
    expect(parsed('auto_sending', raw)).toBe(value);
  });

  it.each(['1', '0', 'yes', 'on', ''])('auto_sending refuses %j', (raw) => {
    expect(reason('auto_sending', raw)).toContain('must be true or false');
  });

  it.each([
    'http://localhost:8080/x?y=1',
    'https://example.com',
    'http://[::1]:80/',
    `"https://a/${'x'.repeat(2000)}"`,
  ])('webhook_url takes %s', (raw) => {
    expect(parsed('webhook_url', raw)).toBe(raw.replaceAll('"', ''));
  });

  it.each([
    '',
    '//a',
    'http:/a',
    'http:\\\\a',
    'http://',
    'http://@a',
    'http://a:99999',
    'http://a b',
    'ftp://a',
    `http://a/${'x'.repeat(2048)}`,
  ])('webhook_url refuses %j', (raw) => {
    expect(reason('webhook_url', raw)).toContain('must be an absolute http:// or https:// URL');
  });

  it('webhook_auth_key is what a header may hold, and none when it is empty', () => {
    expect(parsed('webhook_auth_key', ' INS.me1x9uMcyYGlhKKQVPoc.bO3j9aZwRTOcA2Ywo \n')).toBe(
      'INS.me1x9uMcyYGlhKKQVPoc.bO3j9aZwRTOcA2Ywo',
    );
    expect(parsed('webhook_auth_key', '"with \\"quotes\\""')).toBe('with "quotes"');
    expect(parsed('webhook_auth_key', '"unbalanced')).toBe('"unbalanced');
    expect(parsed('webhook_auth_key', '')).toBeNull();
    expect(parsed('webhook_auth_key', '""')).toBeNull();
  });

  it('webhook_auth_key refuses line breaks, other alphabets and 64 KiB, and never says what it was', () => {
    for (const raw of ['s3cret\r\nHost: evil', 's3cret\u0000', 's3crét', 's3cret'.repeat(11_000), ['s3cret', 'x\n']]) {
      expect(reason('webhook_auth_key', raw)).not.toContain('s3c');
    }
    expect(liveKeyNamed('webhook_auth_key')?.show('s3cret')).toBe('***');
    expect(liveKeyNamed('webhook_auth_key')?.show(null)).toBeNull();
  });

  const [short, long] = [24, 64].map((bytes) => `whsec_${Buffer.alloc(bytes, 0xfb).toString('base64')}`) as [
    string,
    string,
  ];

  it.each<[RawValue, readonly string[] | null]>([
    [short, [short]],
    [`"${short}"`, [short]],
    [`${short}, ${long}`, [short, long]],
    [`["${short}","${long}"]`, [short, long]],
    [`[${short}, ${long}]`, [short, long]],
    [
      [short, long],
      [short, long],
    ],
    [long.replace(/=+$/, ''), [long.replace(/=+$/, '')]],
    ['', null],
    ['[]', null],
    [[], null],
  ])('webhook_signing_secrets takes %j', (raw, value) => {
    expect(parsed('webhook_signing_secrets', raw)).toEqual(value);
  });

  it('webhook_signing_secrets refuses what is short, long, no base64 or without its prefix, and never says what it was', () => {
    const bad: readonly RawValue[] = [
      secretOf(23),
      secretOf(65),
      short.slice('whsec_'.length),
      short.replaceAll('+', '-'),
      `${short} ${long}`,
      `${short},`,
      `${short},${short.slice(1)}`,
      Array.from({ length: 9 }, () => short),
      'whsec_',
      'whsec_!!!!',
      `whpk_${short.slice('whsec_'.length)}`,
      `${short}!`,
    ];
    for (const raw of bad) {
      expect(reason('webhook_signing_secrets', raw)).toBe(
        'webhook_signing_secrets must be a list of 1 to 8 secrets, each whsec_ and the base64 of 24 to 64 bytes',
      );
    }
    expect(liveKeyNamed('webhook_signing_secrets')?.show([short])).toBe('***');
  });

  it.each<[RawValue, readonly number[]]>([
    ['30,120', [30_000, 120_000]],
    ['[30, 120]', [30_000, 120_000]],
    ['"30, 120"', [30_000, 120_000]],
    [
      ['30', '120'],
      [30_000, 120_000],
    ],
    ['5', [5000]],
  ])('retry_schedule takes %j', (raw, value) => {
    expect(parsed('retry_schedule', raw)).toEqual(value);
  });

  it.each<RawValue>(['', '[]', '30,', '0', '30,-1', '604801', Array.from({ length: 51 }, () => '1'), ['1,2']])(
    'retry_schedule refuses %j',
    (raw) => {
      expect(reason('retry_schedule', raw)).toContain('must be');
    },
  );

  it('on_uncertain takes resend and hold alone', () => {
    expect(parsed('on_uncertain', '"hold"')).toBe('hold');
    expect(reason('on_uncertain', 'drop')).toContain('must be resend or hold');
  });

  it('refuses a list for every key that is one value, as YAML may have it', () => {
    for (const { name } of LIVE_KEYS) {
      if (name === 'retry_schedule' || name === 'webhook_signing_secrets') continue;
      for (const list of [['a', 'b'], ['1'], ['true'], []]) {
        expect(reason(name, list)).toBe(`${name} must be a single value, but is a list`);
      }
    }
  });

  it.each<[string, JsonValue, string | null]>([
    ['webhook_auth_key', 'text', null],
    ['webhook_auth_key', [1, 2], 'text, but is a list of numbers'],
    ['webhook_auth_key', ['a', 'b'], 'text, but is a list of texts'],
    ['webhook_auth_key', [], 'text, but is an empty list'],
    ['webhook_auth_key', 12_345, 'text, but is a number'],
    ['webhook_auth_key', true, 'text, but is true or false'],
    ['webhook_url', 80, 'text, but is a number'],
    ['on_uncertain', false, 'text, but is true or false'],
    ['auto_sending', false, null],
    ['auto_sending', 1, 'text or true or false, but is a number'],
    ['rate_limit', 5, null],
    ['rate_limit', [5], 'text or a number, but is a list of numbers'],
    ['retry_schedule', [30, 120], null],
    ['retry_schedule', 30, null],
    ['retry_schedule', ['30'], 'text or a number or a list of numbers, but is a list of texts'],
    ['webhook_signing_secrets', ['whsec_x'], null],
    ['webhook_signing_secrets', [], null],
    ['webhook_signing_secrets', [1], 'text or a list of texts, but is a list of numbers'],
  ])('%s of a request may be of the kind that it is, and %j gets: %s', (name, value, why) => {
    expect(liveKeyNamed(name)?.misfit(value)).toBe(why === null ? null : `${name} must be ${why}`);
  });
});
