import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';

/** What neither holds can be searched for what must not be kept. Nobody asked for a compressed one. */
const NO_TEXT = '(not read: the answer is no text)';
const COMPRESSED = '(not read: the answer is compressed)';
// What text never holds: C0 controls other than tabs, line and page ends, and escapes of terminals.
// oxlint-disable-next-line no-control-regex
const BINARY = /[\0-\x08\x0e-\x1a\x1c-\x1f]/;

/**
 * The body of an answer as text: UTF-8, else what it declares itself to be, else Western European. A wrong guess would let an
 * echo of the message pass that is written otherwise.
 */
export function textOf(body: Buffer, headers: IncomingHttpHeaders): string {
  const encoding = headers['content-encoding']?.toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== '') return COMPRESSED;
  const whole = withoutCutCharacter(body);
  if (isUtf8(whole)) return whole.toString('utf8');
  return decoded(body, charsetOf(body, headers['content-type'])) ?? lossy(body);
}

/** Without the first bytes of a character whose others were not read. */
function withoutCutCharacter(body: Buffer): Buffer {
  for (let back = 1; back <= Math.min(3, body.length); back += 1) {
    const byte = body[body.length - back] ?? 0;
    // The bytes after the first one of a character are 10xxxxxx.
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? body.subarray(0, -back) : body;
  }
  return body;
}

function charsetOf(body: Buffer, contentType: string | undefined): string | null {
  if (body[0] === 0xff && body[1] === 0xfe) return 'utf-16le';
  if (body[0] === 0xfe && body[1] === 0xff) return 'utf-16be';
  return /;\s*charset\s*=\s*"?([\w.:-]{1,40})/i.exec(contentType ?? '')?.[1] ?? null;
}

function decoded(body: Buffer, charset: string | null): string | null {
  if (charset === null || /^utf-?8$/i.test(charset)) return null;
  try {
    return new TextDecoder(charset).decode(body);
  } catch {
    return null;
  }
}

function lossy(body: Buffer): string {
  const text = body.toString('latin1');
  if (!BINARY.test(text)) return new TextDecoder('windows-1252').decode(body);
  // As one character for each byte UTF-16 can be searched.
  return isWide(body) ? text : NO_TEXT;
}

/** Whether every second byte is often the same, as in UTF-16 of most scripts. */
function isWide(body: Buffer): boolean {
  const counts = [new Uint32Array(256), new Uint32Array(256)] as const;
  for (let at = 0; at < body.length; at += 1) {
    const count = counts[at % 2 === 0 ? 0 : 1];
    const byte = body[at] ?? 0;
    count[byte] = (count[byte] ?? 0) + 1;
  }
  return body.length >= 16 && Math.max(...counts[0], ...counts[1]) > body.length / 8;
}
