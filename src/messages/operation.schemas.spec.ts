import { actSchema, replaySchema } from './operation.schemas.js';

const from = (parked_from: string) => replaySchema.safeParse({ state: 'failed', parked_from }).data?.parked_from;

describe('a time of a replay', () => {
  it.each([
    ['2025-07-20T14:36:51Z', '2025-07-20T14:36:51Z'],
    ['2025-07-20T14:36:51.123456789Z', '2025-07-20T14:36:51.123456Z'],
    ['2025-07-20T14:36:51.5+03:00', '2025-07-20T11:36:51.5Z'],
    // PostgreSQL takes offsets up to 15:59:59.
    ['2025-01-01T00:00:00+23:59', '2024-12-31T00:01:00Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
    ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59Z'],
  ])('%s is handed on as %s', (text, utc) => {
    expect(from(text)).toBe(utc);
  });

  it.each([
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-01:00',
    '2025-02-30T00:00:00Z',
    'x',
  ])('%s is refused', (text) => {
    expect(replaySchema.safeParse({ state: 'failed', parked_from: text }).success).toBe(false);
  });
});

it.each(['a\nb', 'a\rb', 'a\u001b[2Jb', 'a\0b', 'a\u0085b', 'a\u2028b', 'a\tb', '\ud800'])(
  'who acts and why may not hold what could look like another line of a log: %j',
  (text) => {
    expect(actSchema.safeParse({ by: text }).success).toBe(false);
    expect(actSchema.safeParse({ reason: text }).success).toBe(false);
  },
);

it.each([
  ['a right-to-left override', 'ali\u202egnirongi', 'U+202E'],
  ['an isolate', 'a\u2066b', 'U+2066'],
  ['a zero-width space', 'a\u200bli', 'U+200B'],
  ['a joiner between ASCII letters', 'a\u200dli', 'U+200D'],
  ['a byte order mark', 'a\ufeffli', 'U+FEFF'],
  ['a soft hyphen', 'a\u00adli', 'U+00AD'],
  ['a tag', 'ali\u{e0041}', 'U+E0041'],
])('who acts and why may not hold %s, which makes one name look like another', (_what, text, told) => {
  for (const field of ['by', 'reason']) {
    expect(actSchema.safeParse({ [field]: text }).error?.issues[0]?.message).toContain(`remove ${told}`);
  }
});

it.each(['\u3164', '\u2800 \u2800', '\u00a0'])('who acts and why may not be invisible: %j', (text) => {
  expect(actSchema.safeParse({ by: text }).error?.issues[0]?.message).toBe('must not be blank');
});

it.each(['می\u200cخواهم', 'नि\u200dष्', '👩\u200d🚒', '⚠\ufe0f', "O'Brien", '山田', 'עלי'])(
  'who acts and why may be written in any script: %j',
  (text) => {
    expect(actSchema.safeParse({ by: text, reason: text }).data).toEqual({ by: text, reason: text });
  },
);

it('who acts and why is trimmed', () => {
  expect(actSchema.parse({ by: ' Ayşe Öz\n', reason: 'ağ' })).toEqual({ by: 'Ayşe Öz', reason: 'ağ' });
});
