import { Random } from '../chaos/random.js';
import { SECRETS } from './secrets.js';

/** @typedef {import('./types.js').RawShot} RawShot */

/** A path that only a smuggled request asks for: the log of the service may never know it. */
export const SMUGGLED = '/smuggled';

const HOST = 'host: dispatcher';
const HIDDEN = `GET ${SMUGGLED} HTTP/1.1\r\n${HOST}\r\n\r\n`;
const MESSAGE = JSON.stringify({ recipient_phone: `+${SECRETS.phones[0]}`, content: SECRETS.contents[0] });
const LONGER_THAN_THE_READ_TIMEOUT_MS = 4_000;

/** @param {readonly string[]} headers */
const post = (...headers) =>
  ['POST /messages HTTP/1.1', HOST, 'content-type: application/json', ...headers, '', ''].join('\r\n');

// A TLS 1.2 ClientHello as far as a server reads it before it knows better.
const CLIENT_HELLO = Buffer.from('16030100c8010000c40303' + '00'.repeat(32) + '0000', 'hex');
const HTTP2_PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';

/** @type {Readonly<Record<string, (random: Random) => Omit<Partial<RawShot>, 'parts'> & { parts: readonly (string | Buffer)[] }>>} */
const KINDS = {
  'CL.TE': () => ({ parts: [post('content-length: 6', 'transfer-encoding: chunked') + '0\r\n\r\n' + HIDDEN] }),
  'TE.CL': () => ({
    parts: [post('transfer-encoding: chunked', 'content-length: 4') + `5c\r\n${HIDDEN.padEnd(92)}\r\n0\r\n\r\n`],
  }),
  'TE.TE': (random) => {
    const odd = random.pick([
      'xchunked',
      ' chunked',
      'chunked, identity',
      'identity',
      'Chunked\r\n chunked',
      '\tchunked',
      'chunked\0',
    ]);
    return {
      parts: [
        post(`transfer-encoding: ${odd}`, 'transfer-encoding: chunked', 'content-length: 3') + `0\r\n\r\n${HIDDEN}`,
      ],
    };
  },
  'content-length twice': () => ({
    parts: [post('content-length: 2', `content-length: ${HIDDEN.length + 2}`) + '{}' + HIDDEN],
  }),
  'a content-length that is no number': (random) => {
    const odd = random.pick(['-1', '+2', '0x2', '2, 2', '2 2', '1e1', '', '99999999999999999999', '2\0', '٢']);
    return { parts: [post(`content-length: ${odd}`) + '{}' + HIDDEN] };
  },
  'a blank before the colon': () => ({
    parts: [post('content-length : 2', 'transfer-encoding : chunked') + `{}${HIDDEN}`],
  }),
  'a folded header': () => ({
    parts: [`GET /sent HTTP/1.1\r\n${HOST}\r\nx-a: 1\r\n transfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
  }),
  'bare line feeds': () => ({ parts: [`GET /sent HTTP/1.1\n${HOST}\n\n${HIDDEN.replaceAll('\r', '')}`] }),
  'bare carriage returns': () => ({ parts: [`GET /sent HTTP/1.1\r${HOST}\r\r`] }),
  'a chunk size that is none': (random) => {
    const odd = random.pick(['zz', '-1', '0x5', 'ffffffffffffffffff', '', '5;', ' 5', '5 ', '5\0']);
    return { parts: [post('transfer-encoding: chunked') + `${odd}\r\nhello\r\n0\r\n\r\n`] };
  },
  'a chunk longer than it says': () => ({
    parts: [post('transfer-encoding: chunked') + `2\r\n${MESSAGE}\r\n0\r\n\r\n`],
  }),
  'chunk extensions without end': () => ({
    parts: [
      post('transfer-encoding: chunked'),
      ...Array.from({ length: 20 }, () => `1;${'a=b;'.repeat(300)}\r\n{\r\n`),
    ],
  }),
  'a flood of tiny chunks': () => ({
    parts: [post('transfer-encoding: chunked') + '1\r\n{\r\n'.repeat(5_000) + '0\r\n\r\n'],
  }),
  'chunks that stop': () => ({ parts: [post('transfer-encoding: chunked') + '5\r\n{"a":'], end: 'wait' }),
  trailers: () => ({
    parts: [
      post('transfer-encoding: chunked') + `0\r\ncontent-length: 5\r\nhost: other\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
    ],
  }),
  'a flood of headers': (random) => ({
    parts: [
      `GET /sent HTTP/1.1\r\n${HOST}\r\n`,
      ...Array.from({ length: 40 }, (_, n) => `x-${n}-${random.next()}: ${'y'.repeat(500)}\r\n`),
      '\r\n',
    ],
  }),
  'two thousand short headers': () => ({ parts: [`GET /sent HTTP/1.1\r\n${HOST}\r\n${'a:b\r\n'.repeat(2_500)}\r\n`] }),
  'a header without end': () => ({ parts: [`GET /sent HTTP/1.1\r\nx: ${'y'.repeat(100_000)}`] }),
  'a header of control characters': () => ({
    parts: [Buffer.from(`GET /sent HTTP/1.1\r\n${HOST}\r\nx-correlation-id: \x01\x7f\x1b[31m\0\r\n\r\n`, 'latin1')],
  }),
  'a name of blanks': () => ({ parts: [`GET /sent HTTP/1.1\r\n${HOST}\r\n : x\r\n\r\n`] }),
  'no host': () => ({ parts: ['GET /sent HTTP/1.1\r\n\r\n'] }),
  'two hosts': () => ({ parts: [`GET /sent HTTP/1.1\r\n${HOST}\r\nhost: other\r\n\r\n`] }),
  'a slow head': () => ({ parts: ['GET /sent HT', 'TP/1.1\r\nho', 'st: dispatcher\r\n'], pauseMs: 300, end: 'wait' }),
  'a slow body': () => ({
    parts: [post('content-length: 500'), '{"recip', 'ient_', 'phone"'],
    pauseMs: 300,
    end: 'wait',
  }),
  'a body that never comes': () => ({ parts: [post('content-length: 50')], end: 'wait' }),
  'a body that comes too late': () => ({
    parts: [post(`content-length: ${MESSAGE.length}`), MESSAGE],
    pauseMs: LONGER_THAN_THE_READ_TIMEOUT_MS,
    end: 'wait',
  }),
  'a connection without a word': () => ({ parts: [], end: 'wait' }),
  'half a head, half closed': () => ({ parts: ['POST /messages HTTP/1.1\r\nhost'] }),
  'half a body, half closed': () => ({ parts: [post('content-length: 50') + '{"recipient'] }),
  'half a body, torn': () => ({ parts: [post('content-length: 50') + '{"recipient'], end: 'reset' }),
  'torn while it is answered': () => ({ parts: [`GET /messages HTTP/1.1\r\n${HOST}\r\n\r\n`.repeat(5)], end: 'reset' }),
  'more body than was said': () => ({ parts: [post('content-length: 2') + '{}' + 'garbage\r\n\r\n'.repeat(10)] }),
  'a body for GET': () => ({
    parts: [`GET /sent HTTP/1.1\r\n${HOST}\r\ncontent-length: ${MESSAGE.length}\r\n\r\n${MESSAGE}`],
  }),
  'pipelined garbage': (random) => ({ parts: [`GET /health HTTP/1.1\r\n${HOST}\r\n\r\n`, bytes(random, 400)] }),
  'fifty at once': () => ({ parts: [`GET /sent?limit=1 HTTP/1.1\r\n${HOST}\r\n\r\n`.repeat(50)] }),
  'expect: 100-continue': () => ({
    parts: [post('expect: 100-continue', `content-length: ${MESSAGE.length}`), MESSAGE],
  }),
  'expect: something else': () => ({ parts: [post('expect: the-unexpected', 'content-length: 2') + '{}'] }),
  'an upgrade': (random) => {
    const to = random.pick(['websocket', 'h2c', 'TLS/1.3']);
    return {
      parts: [
        `GET /sent HTTP/1.1\r\n${HOST}\r\nconnection: upgrade\r\nupgrade: ${to}\r\nhttp2-settings: AAMAAABk\r\n\r\n`,
      ],
    };
  },
  'TLS on a plain port': () => ({ parts: [CLIENT_HELLO] }),
  'HTTP/2 by prior knowledge': () => ({ parts: [Buffer.from(HTTP2_PREFACE, 'latin1')] }),
  'HTTP/0.9': () => ({ parts: ['GET /sent\r\n'] }),
  'HTTP/1.0': () => ({ parts: ['GET /health HTTP/1.0\r\n\r\n'] }),
  'HTTP/9.9': () => ({ parts: [`GET /sent HTTP/9.9\r\n${HOST}\r\n\r\n`] }),
  CONNECT: () => ({ parts: [`CONNECT 127.0.0.1:22 HTTP/1.1\r\n${HOST}\r\n\r\n`, 'SSH-2.0-probe\r\n'] }),
  'an absolute form': (random) => {
    const url = random.pick([
      'http://169.254.169.254/latest/meta-data',
      'http://dispatcher/sent',
      'ftp://x/y',
      'http://user:pass@h/',
      'http:///sent',
      '*',
    ]);
    return { parts: [`GET ${url} HTTP/1.1\r\n${HOST}\r\n\r\n`] };
  },
  'OPTIONS *': () => ({ parts: [`OPTIONS * HTTP/1.1\r\n${HOST}\r\n\r\n`] }),
  'a target that is no path': (random) => {
    const target = random.pick([
      'sent',
      '/\x80\xff',
      '/a b c',
      '/sent\0',
      '\\sent',
      '//[::1',
      '/%',
      '?',
      '/?__proto__[a]=1',
      '///////',
    ]);
    return { parts: [Buffer.from(`GET ${target} HTTP/1.1\r\n${HOST}\r\n\r\n`, 'latin1')] };
  },
  'a method that is none': (random) => {
    const method = random.pick(['get', 'G\0T', 'GETGETGET', 'BREW', '', 'POST/', '\xff']);
    return { parts: [Buffer.from(`${method} /sent HTTP/1.1\r\n${HOST}\r\n\r\n`, 'latin1')] };
  },
  'a proxy header': () => ({ parts: ['PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n', `GET /sent HTTP/1.1\r\n${HOST}\r\n\r\n`] }),
  noise: (random) => ({ parts: [bytes(random, 2_000)] }),
  'a PostgreSQL hello': () => ({ parts: [Buffer.from('0000000804d2162f', 'hex')] }),
  'a Redis command': () => ({ parts: ['*1\r\n$4\r\nPING\r\n'] }),
};

export const RAW_KINDS = Object.keys(KINDS);

/**
 * The connection with this number; every kind has its turn.
 * @param {number} seed
 * @param {number} number
 * @returns {RawShot}
 */
export function rawShotNumber(seed, number) {
  const random = new Random(Math.imul(seed + 1, 0xc2b2ae35) ^ Math.imul(number + 1, 0x27d4eb2f));
  const how = RAW_KINDS[number % RAW_KINDS.length] ?? '';
  const { parts = [], pauseMs = 0, end = 'half' } = KINDS[how]?.(random) ?? {};
  return { how, parts: parts.map((part) => new Uint8Array(Buffer.from(part))), pauseMs, end };
}

/**
 * @param {Random} random
 * @param {number} most
 */
function bytes(random, most) {
  return Buffer.from(
    Array.from({ length: Math.ceil(random.between(1, most)) }, () => Math.floor(random.between(0, 256))),
  );
}
