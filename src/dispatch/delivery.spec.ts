import * as fc from 'fast-check';
import { classify, messageIdIn, retryAfterMs } from './delivery.js';

const NOW = new Date('2026-03-01T12:00:00Z');
const answer = (status: number, retryAfter: string | null = null, body = '') => ({ status, retryAfter, body });

/** What each status means, range by range; every status from 200 to 599 is in exactly one. */
const MEANINGS = [
  { outcome: 'accepted', ranges: [[200, 299]] },
  {
    outcome: 'refused',
    ranges: [
      [400, 400],
      [413, 413],
      [422, 422],
    ],
  },
  {
    outcome: 'unavailable',
    ranges: [
      [408, 409],
      [425, 425],
      [429, 429],
      [500, 599],
    ],
  },
  {
    outcome: 'channel',
    ranges: [
      [300, 399],
      [401, 407],
      [410, 412],
      [414, 421],
      [423, 424],
      [426, 428],
      [430, 499],
    ],
  },
] as const;

describe('classify', () => {
  it.each(MEANINGS)('tells $outcome from the status alone', ({ outcome, ranges }) => {
    const told = ranges.flatMap(([from, to]) =>
      Array.from({ length: to - from + 1 }, (_, index) => classify(answer(from + index), NOW).outcome),
    );
    expect(new Set(told)).toEqual(new Set([outcome]));
  });

  it('covers every status from 200 to 599 by the table above', () => {
    const statuses = MEANINGS.flatMap(({ ranges }) => ranges.map(([from, to]) => to - from + 1));
    expect(statuses.reduce((sum, count) => sum + count)).toBe(400);
  });

  it.each([
    ['an HTML page', '<html><body>ok</body></html>'],
    ['nothing', ''],
    ['half a JSON document', '{"messageId":"67f2'],
  ])('accepts a 2xx with %s, without an id', (_, body) => {
    expect(classify(answer(200, null, body), NOW)).toEqual({ outcome: 'accepted', status: 200, messageId: null });
  });

  it('keeps the id of a documented answer', () => {
    const body = '{"message":"Accepted","messageId":"67f2f8a8-ea58-4ed0-a6f9-ff217df4d849"}';
    expect(classify(answer(202, null, body), NOW)).toMatchObject({
      outcome: 'accepted',
      messageId: '67f2f8a8-ea58-4ed0-a6f9-ff217df4d849',
    });
  });

  it.each([429, 503])('passes on what a %i asks for', (status) => {
    expect(classify(answer(status, '120'), NOW)).toMatchObject({ outcome: 'unavailable', retryAfterMs: 120_000 });
  });

  it('names the status and nothing of the body in the error', () => {
    expect(classify(answer(500, null, 'secret'), NOW)).toMatchObject({ status: 500, error: 'HTTP 500' });
  });

  it.each([
    ['left', true, 'uncertain'],
    ['did not leave', false, 'channel'],
  ])('without an answer tells by whether the request left: one that %s', (_, left, outcome) => {
    expect(classify({ left, error: 'ECONNRESET' }, NOW)).toEqual({ outcome, status: null, error: 'ECONNRESET' });
  });
});

describe('messageIdIn', () => {
  it.each([
    ['a text', '{"messageId":"abc"}', 'abc'],
    ['a number', '{"messageId":42}', '42'],
    ['zero', '{"messageId":0}', '0'],
    ['the longest text', `{"messageId":"${'x'.repeat(256)}"}`, 'x'.repeat(256)],
    ['a text among 64 KiB of others', `{"pad":"${'p'.repeat(65_000)}","messageId":"abc"}`, 'abc'],
    ['whole emoji', '{"messageId":"😀"}', '😀'],
  ])('reads %s', (_, body, id) => {
    expect(messageIdIn(body)).toBe(id);
  });

  it.each([
    ['HTML', '<p>ok</p>'],
    ['an empty body', ''],
    ['64 KiB of a document that was cut off', `{"messageId":"abc","pad":"${'p'.repeat(65_500)}`],
    ['an array', '[{"messageId":"abc"}]'],
    ['a bare text', '"abc"'],
    ['a bare number', '7'],
    ['null', 'null'],
    ['an object without it', '{"id":"abc"}'],
    ['an object as id', '{"messageId":{"a":1}}'],
    ['a list as id', '{"messageId":["a"]}'],
    ['a boolean', '{"messageId":true}'],
    ['null as id', '{"messageId":null}'],
    ['an empty text', '{"messageId":""}'],
    ['blanks', '{"messageId":" \\t\\n "}'],
    ['a text that is too long', `{"messageId":"${'x'.repeat(257)}"}`],
    ['a NUL, which PostgreSQL refuses', '{"messageId":"a\\u0000b"}'],
    ['a lone surrogate, which PostgreSQL refuses', '{"messageId":"a\\ud800b"}'],
  ])('finds none in %s', (_, body) => {
    expect(messageIdIn(body)).toBeNull();
  });

  it('throws for no body at all', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), (body) => {
        const id = messageIdIn(body);
        expect(id === null || id.length > 0).toBe(true);
      }),
    );
  });
});

describe('retryAfterMs', () => {
  it.each([
    ['seconds', '120', 120_000],
    ['seconds with blanks around', ' 5 ', 5_000],
    ['no time at all', '0', 0],
    ['a date', 'Sun, 01 Mar 2026 12:01:30 GMT', 90_000],
    ['a date that has passed', 'Sun, 01 Mar 2026 11:00:00 GMT', 0],
    ['an hour at most, in seconds', '86400', 3_600_000],
    ['an hour at most, for the largest number', '9999999999', 3_600_000],
    ['an hour at most, as a date', 'Mon, 02 Mar 2026 12:00:00 GMT', 3_600_000],
  ])('reads %s', (_, header, ms) => {
    expect(retryAfterMs(header, NOW)).toBe(ms);
  });

  it.each([[null], [''], ['soon'], ['10 apples'], ['NaN'], ['٣']])('takes %j for nothing', (header) => {
    expect(retryAfterMs(header, NOW)).toBeNull();
  });

  it('never asks for less than nothing or more than an hour, whatever the header', () => {
    const header = fc.oneof(fc.string(), fc.integer().map(String), fc.date({ noInvalidDate: true }).map(String));
    fc.assert(
      fc.property(header, (text) => {
        const ms = retryAfterMs(text, NOW) ?? 0;
        expect(ms >= 0 && ms <= 3_600_000).toBe(true);
      }),
    );
  });
});
