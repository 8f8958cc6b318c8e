import { SECRETS } from './secrets.js';

/** @typedef {import('../chaos/random.js').Random} Random */

export const NASTY_TEXTS = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'x\udfff',
  '👩‍👩‍👧‍👦'.repeat(30),
  '😀'.repeat(160),
  '😀'.repeat(161),
  'e\u0301'.repeat(81),
  '\u202edesrever',
  '\ufeffbom',
  '\u2028\u2029',
  'İstanbul ß ﬀ',
  "'; DROP TABLE messages; --",
  '$1',
  '%s%n%x',
  '%00',
  '../../../../etc/passwd',
  '..\\..\\boot.ini',
  '${jndi:ldap://127.0.0.1/a}',
  '{{7*7}}',
  '<script>alert(1)</script>',
  '\r\nx-injected: yes',
  '\u001b[31mred',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'null',
  'NaN',
  'Infinity',
  '-0',
  '0x10',
  '1e309',
  '00000000000000000001',
  '9007199254740993',
  '99999999999999999999999999',
  '-9223372036854775809',
  '2025-02-30T25:61:61Z',
  '9999999-01-01T00:00:00Z',
  '0000-00-00T00:00:00Z',
  '-infinity',
  'x'.repeat(201),
  'x'.repeat(8193),
  '1'.repeat(400),
];

const NASTY_NUMBERS = [
  -1,
  0,
  -0,
  0.1,
  1.5,
  -1e-320,
  1e21,
  1e308,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  -(2 ** 53) - 2,
  Number.MAX_VALUE,
  Number.MIN_SAFE_INTEGER,
];

/**
 * A text that nobody expects, or one that holds a planted secret.
 * @param {Random} random
 * @returns {string}
 */
export function nastyText(random) {
  return random.weigh([
    [6, () => random.pick(NASTY_TEXTS)],
    [2, () => `+${random.pick(SECRETS.phones)}`],
    [2, () => random.pick(SECRETS.contents)],
    [1, () => SECRETS.newAuthKey],
    [1, () => `${random.pick(SECRETS.contents)} ${random.pick(NASTY_TEXTS)}`],
    [1, () => String.fromCodePoint(...Array.from({ length: 12 }, () => codePoint(random)))],
  ])();
}

/**
 * Any JSON value that does not fit.
 * @param {Random} random
 * @returns {unknown}
 */
export function nastyValue(random) {
  return random.weigh([
    [4, () => nastyText(random)],
    [3, () => random.pick(NASTY_NUMBERS)],
    [1, () => null],
    [1, () => random.next() < 0.5],
    [1, () => []],
    [1, () => ({})],
    [1, () => nested(random, 5)],
    [1, () => Array.from({ length: Math.floor(random.between(1, 60)) }, () => random.pick(NASTY_NUMBERS))],
    [1, () => ({ [nastyText(random)]: nastyText(random) })],
  ])();
}

/**
 * @param {Random} random
 * @param {number} depth
 * @returns {unknown}
 */
function nested(random, depth) {
  if (depth === 0) return nastyText(random);
  return random.next() < 0.5 ? [nested(random, depth - 1)] : { a: nested(random, depth - 1) };
}

/** @param {Random} random */
function codePoint(random) {
  return Math.floor(
    random.weigh([
      [3, random.between(0x20, 0x7f)],
      [1, random.between(0, 0x20)],
      [2, random.between(0x80, 0x10ffff)],
    ]),
  );
}
