import { FollowingClient } from '../following-client.js';
import type { PrimaryFinder } from '../primary-finder.js';

/** A link may die between the connect and the LISTEN; TCP alone would wait a quarter of an hour for its answer. */
const ANSWER_WITHIN_MS = 8_000;

export interface Listener {
  readonly channel: string;
  /** The channel is heard from now on. */
  readonly onListening: () => void;
  /** Somebody notified the channel. */
  readonly onNotification: (payload: string | undefined) => void;
}

/**
 * Listens on a connection of its own until `signal` aborts, then resolves. Rejects when the connection cannot be made or
 * ends by itself. It leaves nothing behind on `signal`, which outlives it.
 */
export async function listenOnce(primary: PrimaryFinder, listener: Listener, signal: AbortSignal): Promise<void> {
  const client = new FollowingClient({
    primary,
    application_name: 'message-dispatcher listening',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    query_timeout: ANSWER_WITHIN_MS,
  });
  const over = new AbortController();
  const ended = new Promise<void>((resolve, reject) => {
    client.on('error', reject);
    client.on('end', () => reject(new Error('the server closed the listening connection')));
    signal.addEventListener('abort', () => resolve(), { once: true, signal: over.signal });
  });
  ended.catch(() => undefined);
  try {
    await client.connect();
    client.on('notification', ({ payload }) => listener.onNotification(payload));
    await client.query(`LISTEN ${listener.channel}`);
    listener.onListening();
    await ended;
  } finally {
    over.abort();
    client.removeAllListeners('end');
    await client.end().catch(() => undefined);
  }
}
