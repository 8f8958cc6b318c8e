import { Client } from 'pg';
import type { DatabaseAddress, DatabaseServer } from './config/database-address.js';
import { isError } from './described-error.js';

/** PostgreSQL's `read_only_sql_transaction`: what a standby, or a primary that was fenced, answers to a write. */
export const READ_ONLY = '25006';

const TAKES_WRITES = `SELECT NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::boolean AS writable`;

/**
 * Knows which of several servers takes writes. It is looked for once and remembered until somebody who lost it says so;
 * whoever asks meanwhile shares one search. Where there is no choice, the one server is taken as it is.
 */
export class PrimaryFinder {
  private found: DatabaseServer | null = null;
  private search: Promise<DatabaseServer> | null = null;
  private readonly followers = new Set<(primary: DatabaseServer) => void>();

  constructor(readonly address: DatabaseAddress) {}

  /** @throws AggregateError with a reason for each server when none takes writes. */
  async find(): Promise<DatabaseServer> {
    if (!this.address.writable) return this.address.servers[0];
    if (this.found !== null) return this.found;
    this.search ??= this.look().finally(() => {
      this.search = null;
    });
    return await this.search;
  }

  /** The next `find` looks anew, if `server` is what the last one found. */
  forget(server: DatabaseServer): void {
    if (this.found === server) this.found = null;
  }

  /** Calls `onFound` after each search, until the returned function is called. */
  follow(onFound: (primary: DatabaseServer) => void): () => void {
    this.followers.add(onFound);
    return () => void this.followers.delete(onFound);
  }

  private async look(): Promise<DatabaseServer> {
    const failures: Error[] = [];
    for (const server of this.address.servers) {
      try {
        await this.assertWritable(server);
        this.found = server;
        for (const tell of this.followers) tell(server);
        return server;
      } catch (error) {
        failures.push(isError(error) ? error : new Error(String(error)));
      }
    }
    const reasons = failures.map(({ message }, index) => `${labelOf(this.address.servers[index])}: ${message}`);
    throw new AggregateError(failures, `no server takes writes: ${reasons.join('; ')}`);
  }

  private async assertWritable({ url }: DatabaseServer): Promise<void> {
    const client = new Client({
      connectionString: url,
      application_name: 'message-dispatcher looking for the primary',
      connectionTimeoutMillis: this.address.serverTimeoutMs,
      query_timeout: this.address.serverTimeoutMs,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ writable: boolean }>(TAKES_WRITES);
      if (rows[0]?.writable !== true) throw Object.assign(new Error('it takes no writes'), { code: READ_ONLY });
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

function labelOf(server: DatabaseServer | undefined): string {
  return server === undefined ? 'unknown' : new URL(server.url).host;
}
