import { nastyText, nastyValue } from './values.js';

/** @typedef {import('../chaos/random.js').Random} Random */

const PROTOTYPE_KEYS = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'];

/**
 * The same value with one thing wrong, somewhere.
 * @param {Random} random
 * @param {unknown} value
 * @returns {unknown}
 */
export function mutated(random, value) {
  if (random.next() < 0.15) return nastyValue(random);
  if (Array.isArray(value)) return mutatedList(random, value);
  if (typeof value === 'object' && value !== null) return mutatedObject(random, Object.entries(value));
  return nastyValue(random);
}

/**
 * @param {Random} random
 * @param {readonly unknown[]} items
 * @returns {unknown}
 */
function mutatedList(random, items) {
  /** @type {(readonly [number, () => unknown])[]} */
  const ways = [
    [4, () => items.map((item, index) => (index === 0 ? mutated(random, item) : item))],
    [1, () => []],
    [1, () => [items]],
    [1, () => Array.from({ length: 1_001 }, () => items[0])],
    [1, () => Object.fromEntries(items.map((item, at) => [at, item]))],
  ];
  return random.weigh(ways)();
}

/**
 * @param {Random} random
 * @param {readonly (readonly [string, unknown])[]} entries
 * @returns {unknown}
 */
function mutatedObject(random, entries) {
  const chosen = entries.length === 0 ? -1 : Math.floor(random.between(0, entries.length));
  /** @type {(readonly [number, () => unknown])[]} */
  const ways = [
    [
      6,
      () =>
        Object.fromEntries(entries.map(([key, value], at) => [key, at === chosen ? mutated(random, value) : value])),
    ],
    [2, () => Object.fromEntries(entries.filter((_, at) => at !== chosen))],
    [2, () => Object.fromEntries([...entries, [nastyText(random), nastyValue(random)]])],
    [1, () => Object.fromEntries(entries.map(([key, value], at) => [at === chosen ? key.toUpperCase() : key, value]))],
    [1, () => [Object.fromEntries(entries)]],
  ];
  return random.weigh(ways)();
}

/**
 * The JSON of a value, or something that is nearly so.
 * @param {Random} random
 * @param {unknown} value
 * @returns {{ how: string, body: string | Uint8Array<ArrayBuffer> }}
 */
export function mangledJson(random, value) {
  const json = JSON.stringify(value) ?? 'null';
  const cut = Math.floor(random.between(0, json.length));
  const inner = json.startsWith('{') && json.length > 2 ? `,${json.slice(1)}` : '}';
  return random.pick([
    () => ({ how: 'cut JSON', body: json.slice(0, cut) }),
    () => ({ how: 'JSON and more', body: `${json}${json}` }),
    () => ({ how: 'a prototype key', body: `{"${random.pick(PROTOTYPE_KEYS)}":{"polluted":true}${inner}` }),
    () => ({ how: 'a nested prototype key', body: `{"a":{"constructor":{"prototype":{"polluted":true}}}${inner}` }),
    () => ({ how: 'a key twice', body: `{"by":"one","by":2,"content":"a","content":"b"${inner}` }),
    () => ({ how: 'deep arrays', body: '['.repeat(20_000) + ']'.repeat(20_000) }),
    () => ({ how: 'deep objects', body: '{"a":'.repeat(20_000) + '1' + '}'.repeat(20_000) }),
    () => ({ how: 'a huge number', body: json.replace(/\d+/, '1e999999') }),
    () => ({ how: 'a number of many digits', body: `[${'9'.repeat(10_000)}]` }),
    () => ({ how: 'single quotes', body: json.replaceAll('"', "'") }),
    () => ({ how: 'a byte order mark', body: `\ufeff${json}` }),
    () => ({ how: 'UTF-16', body: new Uint8Array(Buffer.from(json, 'utf16le')) }),
    () => ({ how: 'bytes that are no UTF-8', body: new Uint8Array([0x22, 0xc3, 0x28, 0xff, 0x22]) }),
    () => ({ how: 'a lone surrogate, escaped', body: json.replace(/"([^"]*)"\}/, '"$1\\ud800"}') }),
    () => ({ how: 'a NUL, escaped', body: json.replace(/"([^"]*)"\}/, '"$1\\u0000"}') }),
    () => ({ how: 'a NUL as it is', body: json.replace('{', '{\0') }),
    () => ({ how: 'no bytes', body: '' }),
    () => ({ how: 'blanks', body: ' \n\t ' }),
    () => ({ how: 'a comment', body: `/* ${json} */` }),
  ])();
}
