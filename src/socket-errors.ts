import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { CORRELATION_HEADER } from './correlation.js';
import { codeOf } from './described-error.js';
import { socketReply } from './error-mapping.js';

/** A client gets so long to read the refusal and leave. Nothing else would end a connection whose client stays silent. */
const LINGER_MS = 1_000;

/** Answers what Node's HTTP parser refused, in the shape of all errors, and ends the connection. */
export function refuseOnSocket(error: Error, socket: Socket, { lingerMs = LINGER_MS } = {}): void {
  const code = codeOf(error);
  const nobodyReads =
    code === 'ECONNRESET' ||
    code?.startsWith('ERR_SSL') === true ||
    code?.startsWith('ERR_TLS') === true ||
    !socket.writable;
  if (nobodyReads || socket.bytesWritten > 0) {
    // Bytes that were written belong to another reply, perhaps half of one: nothing can be added to them.
    socket.destroy();
    return;
  }
  const { status, body } = socketReply(error);
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    `${CORRELATION_HEADER}: ${randomUUID()}`,
    'connection: close',
  ];
  const linger = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(linger));
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
}
