import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** The instance's own timeouts are 2 to 5 s; whoever it still holds after this it would hold for ever. */
const HELD_MS = 15_000;

/**
 * Fires bytes at a port and resolves with all that came back, and whether the server let go of the connection in time.
 * @param {number} port
 * @param {import('./types.js').RawShot} shot
 * @returns {Promise<{ received: string, held: boolean }>}
 */
export async function fireRaw(port, { parts, pauseMs, end }) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let received = '';
  socket.setEncoding('latin1').on('data', (text) => (received += text));
  // The server may tear the connection at any time; that is an answer too.
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  socket.on('end', () => socket.end());
  for (const [at, part] of parts.entries()) {
    if (at > 0) await sleep(pauseMs);
    if (!socket.writable) break;
    await new Promise((resolve) => socket.write(part, resolve));
  }
  if (end === 'reset') socket.resetAndDestroy();
  if (end === 'half') socket.end();
  const patience = new AbortController();
  const held = await Promise.race([
    closed.then(() => false),
    sleep(HELD_MS, true, { signal: patience.signal }).catch(() => false),
  ]);
  patience.abort();
  socket.destroy();
  return { received, held };
}

/**
 * The replies in what a connection received, as far as their status and body can be told apart.
 * @param {string} received
 * @returns {{ status: number, body: string }[]}
 */
export function repliesIn(received) {
  return received
    .split(/(?=^HTTP\/1\.[01] \d{3})/m)
    .map((text) => {
      const [head = '', ...body] = text.split('\r\n\r\n');
      return { status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? Number.NaN), body: body.join('\r\n\r\n') };
    })
    .filter(({ status }) => !Number.isNaN(status));
}
