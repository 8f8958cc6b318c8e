import { Random } from '../random.js';

/** Statuses that a number is answered with, every time; 204, 302 and 200 with odd bodies are among the good ones' answers. */
export const STATUSES = /** @type {const} */ ([
  302, 400, 401, 402, 403, 404, 405, 406, 409, 410, 412, 413, 415, 422, 425, 429, 451, 500, 502, 503, 504, 520,
]);
/** After these nobody knows whether the message was taken; the receiver takes some. */
const UNKNOWN = new Set([502, 504, 520]);
const HUGE_BYTES = 1_000_000;

/**
 * @typedef {{ behaviour: import('../types.js').Behaviour, takes: boolean, delayMs: number, status: number,
 *   headers: Record<string, string>, body: string }} OrdinaryManner
 */

/**
 * What the receiver does with a request for message `n`: number and kind decide, so that a bad number stays bad.
 * @param {number} seed
 * @param {string} kind
 * @param {number} n
 * @param {number} count from 1
 * @returns {OrdinaryManner}
 */
export function ordinaryMannerOf(seed, kind, n, count) {
  const random = new Random(seed ^ Math.imul(n, 0x9e3779b1));
  const delayMs = random.between(0, 40);
  return kind === 'bad' ? badManner(random, delayMs, n, count) : goodManner(random, delayMs, n);
}

/**
 * A number that is answered with a status gets the same one every time.
 * @param {Random} random
 * @param {number} delayMs
 * @param {number} n
 * @param {number} count
 * @returns {OrdinaryManner}
 */
function badManner(random, delayMs, n, count) {
  // Taken, and not confirmed; later it is known already. An accepted message must not end as failed.
  if (random.next() < 0.05) {
    const body = '{"error":"duplicate"}';
    return count === 1
      ? { behaviour: 'reset', takes: true, delayMs, status: 0, headers: {}, body: '' }
      : { behaviour: 'ordinary', takes: false, delayMs, status: n % 2 === 0 ? 409 : 400, headers: JSON_TYPE, body };
  }
  const status = statusOf(n);
  const headers = { ...(random.next() < 0.3 ? HTML_TYPE : JSON_TYPE), ...extraHeaders(status, random) };
  const takes = UNKNOWN.has(status) && random.next() < 0.5;
  return {
    behaviour: takes ? 'reset' : 'ordinary',
    takes,
    delayMs,
    status,
    headers,
    body: random.pick(['', '{"error":"no such number"}', '{"error":', '<html><h1>It works!</h1></html>', hugeBody()]),
  };
}

/**
 * Messages of one decade of numbers share a status, so that bursts have long runs of one and of many.
 * @param {number} n
 */
function statusOf(n) {
  return new Random(Math.floor(n / 16)).pick(STATUSES);
}

/**
 * @param {number} status
 * @param {Random} random
 * @returns {Record<string, string>}
 */
function extraHeaders(status, random) {
  if (status === 302) return { location: 'http://127.0.0.1:1/' };
  if (status === 401) return { 'www-authenticate': 'Basic realm="sms"' };
  return (status === 429 || status === 503) && random.next() < 0.2 ? { 'retry-after': '1' } : {};
}

/**
 * @param {Random} random
 * @param {number} delayMs
 * @param {number} n
 * @returns {OrdinaryManner}
 */
function goodManner(random, delayMs, n) {
  const [headers, body, status] = random.weigh(
    /** @type {const} */ ([
      [60, [JSON_TYPE, `{"message":"Accepted","messageId":"${n}-67f2f8a8"}`, 202]],
      [10, [JSON_TYPE, `{"messageId":${n}}`, 202]],
      [10, [JSON_TYPE, `{"messageId":${bigId(n)}}`, 200]],
      [5, [HTML_TYPE, '<p>This URL has no default content configured.</p>', 200]],
      [5, [JSON_TYPE, '{"messageId":', 200]],
      [4, [JSON_TYPE, '', 204]],
      [4, [JSON_TYPE, '["__proto__"]', 201]],
      [2, [HTML_TYPE, hugeBody(), 200]],
    ]),
  );
  // Some take their time, so that kills, hangs and stops find requests in flight.
  const slowMs = random.next() < 0.06 ? random.between(300, 1_400) : 0;
  return { behaviour: 'prompt', takes: true, delayMs: delayMs + slowMs, status, headers, body };
}

/**
 * An id beyond 2^53, as some providers give: its digits must survive.
 * @param {number} n
 */
export function bigId(n) {
  return `123456789012${String(n).padStart(8, '0')}`;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const HTML_TYPE = { 'content-type': 'text/html' };

/** Made anew: few answers hold it. */
function hugeBody() {
  return 'x'.repeat(HUGE_BYTES);
}
