import * as fc from 'fast-check';
import { classify, excerptOf, retryAfterMs, withoutSecrets } from './delivery.js';

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
      [500, 501],
      [503, 503],
      [505, 519],
      [525, 597],
    ],
  },
  {
    outcome: 'uncertain',
    ranges: [
      [502, 502],
      [504, 504],
      [520, 524],
      [598, 599],
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

describe('withoutSecrets', () => {
  const told = {
    credentials: ['s3cret/key', 'c2lnbmF0dXJl'],
    to: '+905551111111',
    content: 'Your code is "4711" & için',
  };
  const kept = (body: string, status = 400) => {
    const reply = withoutSecrets(answer(status, null, body), told);
    return excerptOf(classify(reply, NOW), reply);
  };

  it.each([
    ['the auth key', 'headers: x-ins-auth-key: s3cret/key', 'headers: x-ins-auth-key: ***'],
    ['the key in JSON of PHP', String.raw`{"key":"s3cret\/key"}`, '{"key":"***"}'],
    ['a signature', 'webhook-signature: v1,c2lnbmF0dXJl', 'webhook-signature: v1,***'],
    ['the recipient', 'no route to +905551111111', 'no route to ***'],
    ['the recipient in a URL', 'to=%2B905551111111&x=1', 'to=***&x=1'],
    ['the recipient without +', '{"to":905551111111}', '{"to":***}'],
    ['the recipient in its national form', 'bad number 05551111111', 'bad number ***'],
    ['the content', 'got Your code is "4711" & için', 'got ***'],
    ['the content in JSON', String.raw`{"content":"Your code is \"4711\" & için"}`, '{"content":"***"}'],
    ['the content in ASCII JSON', String.raw`{"content":"Your code is \"4711\" & i\u00e7in"}`, '{"content":"***"}'],
    ['the content in a form', 'text=Your+code+is+%224711%22+%26+i%C3%A7in', 'text=***'],
    ['the content in HTML', '<p>Your code is &quot;4711&quot; &amp; için</p>', '<p>***</p>'],
    ['other numbers', 'error 4000001 in batch 20250720', 'error 4000001 in batch 20250720'],
  ])('keeps an excerpt without secrets: %s', (_, body, excerpt) => {
    expect(kept(body)).toBe(excerpt);
  });

  it('masks what lies across the end of the excerpt, also where the rest of the answer was not read', () => {
    for (let pad = 4_080; pad < 4_100; pad += 1) expect(kept('p'.repeat(pad) + 's3cret/key')).not.toContain('s3c');
    for (let pad = 0; pad < 12; pad += 1) {
      expect(kept('p'.repeat(pad) + 's3cret/key'.repeat(6_553))).toMatch(/^p*\*+$/);
    }
  });

  it('masks a short text where it stands alone, and leaves words whole', () => {
    const reply = withoutSecrets(answer(400, null, 'maximum exceeded: "a", a'), { ...told, content: 'a' });
    expect(reply).toMatchObject({ body: 'maximum exceeded: "***", ***' });
  });

  it('replaces what breaks a line in an error', () => {
    const error = 'Parse Error: HTTP/1.1 2\r\n\u001b[31mX\u2028Y\u202eZ';
    expect(withoutSecrets({ left: true, error }, told)).toEqual({
      left: true,
      error: 'Parse Error: HTTP/1.1 2 [31mX Y Z',
    });
  });

  it('masks what a receiver says when it hangs up', () => {
    const reply = withoutSecrets({ left: true, error: 'bad header: s3cret/key' }, told);
    expect(classify(reply, NOW)).toMatchObject({ error: 'bad header: ***' });
  });

  it.each(['{"messageId":"s3cret/key"}', String.raw`{"messageId":"s3cret\/key"}`])(
    'takes no key for the id of a message: %s',
    (body) => {
      const delivery = classify(withoutSecrets(answer(202, null, body), told), NOW);
      expect(delivery).toMatchObject({ outcome: 'accepted', messageId: '***' });
    },
  );

  it('leaves the id of an accepted message as it is, whatever the message says', () => {
    const reply = withoutSecrets(answer(202, null, '{"messageId":"a-1"}'), { ...told, content: 'a' });
    expect(classify(reply, NOW)).toMatchObject({ messageId: 'a-1' });
  });

  it('goes through a hostile answer in no time', () => {
    // Of the processor, not of the clock: other work on the machine does not count.
    const before = process.cpuUsage();
    for (const body of ['a', '*', '0', '\\', '"', 'a '].map((unit) => unit.repeat(32_768))) {
      for (const content of ['a', 'aaaaa', ' ', '***', '0000000'])
        withoutSecrets(answer(400, null, body), { ...told, content });
    }
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(3_000);
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
