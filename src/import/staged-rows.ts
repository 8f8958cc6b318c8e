import type { Client, QueryConfig } from 'pg';
import { z } from 'zod';
import { copyRows } from './copy-rows.js';
import { openImportConnection } from './import-connection.js';

const batch = z.tuple([z.object({ rows: z.instanceof(Buffer) })]);

/**
 * Rows that have arrived and are not messages yet, batch by batch as COPY will take them, in a temporary table, which is
 * gone with its connection. No transaction is open between two batches, so an upload may take hours without keeping
 * PostgreSQL from cleaning up; and what is given up leaves no dead rows in `messages`.
 */
export class StagedRows {
  private batches = 0;
  private storing: Promise<unknown> = Promise.resolve();

  private constructor(private readonly client: Client) {}

  static async open(url: string): Promise<StagedRows> {
    const client = await openImportConnection(url);
    try {
      // The last two fail here, and not after a long upload, when the schema is missing or the server takes no writes.
      // What is read once is not worth compressing.
      await client.query(`
        CREATE TEMPORARY TABLE staged_rows (batch INTEGER PRIMARY KEY, rows BYTEA NOT NULL);
        ALTER TABLE staged_rows ALTER COLUMN rows SET STORAGE EXTERNAL;
        LOCK TABLE messages IN ROW EXCLUSIVE MODE`);
    } catch (error) {
      await client.end();
      throw error;
    }
    return new StagedRows(client);
  }

  /** Resolves when the batches before this one are stored, and rejects when one was not: one batch is under way at most. */
  async add(rows: Buffer): Promise<void> {
    await this.storing;
    this.batches += 1;
    this.storing = this.client.query('INSERT INTO staged_rows VALUES ($1, $2)', [this.batches, rows]);
    // Whoever comes next hears of it.
    this.storing.catch(() => undefined);
  }

  /** Makes messages of all of them, in their order and in one transaction, unless `signal` is aborted meanwhile. */
  async publish(signal: AbortSignal): Promise<void> {
    await this.storing;
    await this.client.query('BEGIN');
    for (let number = 1; number <= this.batches; number += 1) {
      signal.throwIfAborted();
      await copyRows(this.client, await this.rowsOf(number));
    }
    signal.throwIfAborted();
    await this.client.query('COMMIT');
  }

  /** Ends the connection, at once when a statement is under way. What was not published is gone. */
  async discard(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }

  private async rowsOf(number: number): Promise<Buffer> {
    // As text, bytes would be twice as long. node-postgres knows `binary`, its types do not; its parsers know no bytes.
    const query: QueryConfig & { binary: boolean } = {
      text: 'SELECT rows FROM staged_rows WHERE batch = $1',
      values: [number],
      binary: true,
      types: { getTypeParser: () => (bytes: unknown) => bytes },
    };
    const result = await this.client.query(query);
    return batch.parse(result.rows)[0].rows;
  }
}
