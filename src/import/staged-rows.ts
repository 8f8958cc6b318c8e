import { DatabaseError, type Client, type QueryConfig } from 'pg';
import { z } from 'zod';
import { isDatabaseOutage } from '../database-outage.js';
import { CopyToMessages, keptOut } from './copy-rows.js';
import { openImportConnection } from './import-connection.js';
import { ImportUnconfirmed } from './import-errors.js';

const batch = z.tuple([z.object({ rows: z.instanceof(Buffer) })]);

/** What stays in memory: only a file that is larger pays for the way to PostgreSQL and back. */
const MAX_HELD_BYTES = 32 * 1024 * 1024;

/**
 * Rows that have arrived and are not messages yet, batch by batch as COPY will take them: the first of them in memory, the
 * others in a temporary table, which is gone with its connection. No transaction is open between two batches, so an upload
 * may take hours without keeping PostgreSQL from cleaning up; and what is given up leaves no dead rows in `messages`.
 */
export class StagedRows {
  private readonly held: Buffer[] = [];
  private heldBytes = 0;
  private batches = 0;
  private storing: Promise<unknown> = Promise.resolve();
  private committing: Promise<unknown> = Promise.resolve();

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
    if (this.batches === 0 && this.heldBytes + rows.length <= MAX_HELD_BYTES) {
      this.held.push(rows);
      this.heldBytes += rows.length;
      return;
    }
    this.batches += 1;
    this.storing = this.client.query('INSERT INTO staged_rows VALUES ($1, $2)', [this.batches, rows]);
    // Whoever comes next hears of it.
    this.storing.catch(() => undefined);
  }

  /**
   * Makes messages of all of them, `expected` rows, in their order and in one transaction, unless `signal` is aborted before the commit;
   * once that was sent, nothing here cuts it.
   * @throws ImportUnconfirmed when the connection was lost before the commit was answered, MessagesKeptOut when PostgreSQL
   * kept a row out without an error.
   */
  async publish(expected: number, signal: AbortSignal): Promise<void> {
    await this.storing;
    await this.client.query('BEGIN');
    let taken = 0;
    for (const rows of this.held) taken += await this.copy(rows, signal);
    for (let number = 1; number <= this.batches; number += 1)
      taken += await this.copy(await this.rowsOf(number), signal);
    signal.throwIfAborted();
    if (taken !== expected) throw await keptOut(this.client);
    this.committing = this.client.query('COMMIT');
    try {
      await this.committing;
    } catch (error) {
      // What PostgreSQL refused it undid.
      if (error instanceof DatabaseError && !isDatabaseOutage(error)) throw error;
      throw new ImportUnconfirmed(error);
    }
  }

  /** Ends the connection, at once when a statement is under way other than the commit. What was not published is gone. */
  async discard(): Promise<void> {
    await this.committing.catch(() => undefined);
    await this.client.end().catch(() => undefined);
  }

  private async copy(rows: Buffer, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const copy = new CopyToMessages(this.client);
    await copy.write(rows);
    return await copy.end();
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
