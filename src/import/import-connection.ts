import type { Client } from 'pg';
import { primaryFinder } from '../data-source.js';
import { FollowingClient } from '../following-client.js';

/**
 * A connection of an import's own: it outlasts the pool's limit of 5 s a statement, and takes no place in the pool.
 * Whoever opens it ends it; an end in the middle of a statement undoes that statement.
 */
export async function openImportConnection(url: string): Promise<Client> {
  const client = new FollowingClient({
    primary: primaryFinder(url),
    application_name: 'message-dispatcher import',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // A lost connection fails the statement under way, or the next one.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(`SET statement_timeout = 0; SET client_encoding = 'UTF8'`);
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  return client;
}
