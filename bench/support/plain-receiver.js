// node plain-receiver.js <port> <ledger> <delay in ms>: an HTTP receiver on bare sockets, as little as keep-alive POSTs need.
// It reads requests with a Content-Length or without a body, and answers each with 202 and an id of its own.

import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:net';

const FLUSH_MS = 100;

const [port, ledger = '', delay] = process.argv.slice(2);
const delayMs = Number(delay);
const idPrefix = randomUUID().slice(0, 24);
let answered = 0;
let lines = '';

const server = createServer({ noDelay: true }, (socket) => {
  let pending = '';
  socket.on('error', () => undefined);
  socket.setEncoding('latin1').on('data', (/** @type {string} */ text) => {
    pending = pending === '' ? text : pending + text;
    for (;;) {
      const headEnd = pending.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      const head = pending.slice(0, headEnd);
      const end = headEnd + 4 + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (pending.length < end) return;
      pending = pending.slice(end);
      take(socket, head);
    }
  });
});

/**
 * @param {import('node:net').Socket} socket
 * @param {string} head
 */
function take(socket, head) {
  const at = (performance.timeOrigin + performance.now()) / 1000;
  lines += `${at.toFixed(6)} ${/\r\nidempotency-key: *([^\r]+)/i.exec(head)?.[1] ?? '-'}\n`;
  if (delayMs > 0) setTimeout(() => answer(socket), delayMs);
  else answer(socket);
}

/** @param {import('node:net').Socket} socket */
function answer(socket) {
  if (socket.destroyed) return;
  answered += 1;
  const body = `{"message":"Accepted","messageId":"${idPrefix}${String(answered).padStart(12, '0')}"}`;
  socket.write(
    `HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

setInterval(() => {
  if (lines === '') return;
  appendFileSync(ledger, lines);
  lines = '';
}, FLUSH_MS);

server.listen(Number(port), '127.0.0.1', 1024, () => process.stdout.write('ready\n'));
