import { DatabaseError, type Client, type QueryConfig } from 'pg';
import { z } from 'zod';
import { isDatabaseOutage } from '../database-outage.js';
import { CopyToMessages, keptOut, type RowBatch } from './copy-rows.js';
import { openImportConnection } from './import-connection.js';
import { ImportUnconfirmed } from './import-errors.js';
import { RowByRow } from './row-by-row.js';
import type { RowFault } from './row-taker.js';

const batch = z.tuple([z.object({ rows: z.instanceof(Buffer), lines: z.instanceof(Buffer) })]);

/** What stays in memory: only a file that is larger pays for the way to PostgreSQL and back. */
const MAX_HELD_BYTES = 32 * 1024 * 1024;

/**
 * Rows that have arrived and are not messages yet, batch by batch as COPY will take them: the first of them in memory, the
 * others in a temporary table, which is gone with its connection. No transaction is open between two batches, so an upload
 * may take hours without keeping PostgreSQL from cleaning up; and what is given up leaves no dead rows in `messages`.
 */
export class StagedRows {
  private readonly held: RowBatch[] = [];
  private heldBytes = 0;
  private batches = 0;
  private storing: Promise<unknown> = Promise.resolve();
  private committing: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly client: Client,
    private readonly maxHeldBytes: number,
  ) {}

  /** `maxHeldBytes`: what stays in memory. */
  static async open(url: string, maxHeldBytes = MAX_HELD_BYTES): Promise<StagedRows> {
    const client = await openImportConnection(url);
    try {
      // The last two fail here, and not after a long upload, when the schema is missing or the server takes no writes.
      // What is read once is not worth compressing.
      await client.query(`
        CREATE TEMPORARY TABLE staged_rows (batch INTEGER PRIMARY KEY, rows BYTEA NOT NULL, lines TEXT NOT NULL);
        ALTER TABLE staged_rows ALTER COLUMN rows SET STORAGE EXTERNAL, ALTER COLUMN lines SET STORAGE EXTERNAL;
        LOCK TABLE messages IN ROW EXCLUSIVE MODE`);
    } catch (error) {
      await client.end();
      throw error;
    }
    return new StagedRows(client, maxHeldBytes);
  }

  /** Resolves when the batches before this one are stored, and rejects when one was not: one batch is under way at most. */
  async add(rows: RowBatch): Promise<void> {
    await this.storing;
    const size = rows.bytes.length + rows.lines.byteLength;
    if (this.batches === 0 && this.heldBytes + size <= this.maxHeldBytes) {
      this.held.push(rows);
      this.heldBytes += size;
      return;
    }
    this.batches += 1;
    const values = [this.batches, rows.bytes, textOfLines(rows.lines)];
    this.storing = this.client.query('INSERT INTO staged_rows VALUES ($1, $2, $3)', values);
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
    for await (const { bytes } of this.all()) taken += await this.copy(bytes, signal);
    signal.throwIfAborted();
    if (taken !== expected) throw await keptOut(this.client);
    await this.commit();
  }

  /**
   * The same after `refusal` of some of them, without those that PostgreSQL refuses or keeps out: these are told.
   * @throws `refusal` when it takes none of them, ImportRefusedByDatabase when it refuses too many.
   */
  async publishWhatIsTaken(refusal: unknown, signal: AbortSignal): Promise<readonly RowFault[]> {
    const rows = await RowByRow.begin(this.client);
    for await (const batchOfRows of this.all()) await rows.add(batchOfRows, signal);
    signal.throwIfAborted();
    if (rows.stored === 0) throw refusal;
    await this.commit();
    return rows.refused;
  }

  private async commit(): Promise<void> {
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

  private async *all(): AsyncGenerator<RowBatch> {
    yield* this.held;
    for (let number = 1; number <= this.batches; number += 1) yield await this.rowsOf(number);
  }

  private async rowsOf(number: number): Promise<RowBatch> {
    // As text, bytes would be twice as long. node-postgres knows `binary`, its types do not; its parsers know no bytes, and it
    // has made a string of them: they must be UTF-8.
    const query: QueryConfig & { binary: boolean } = {
      text: 'SELECT rows, lines FROM staged_rows WHERE batch = $1',
      values: [number],
      binary: true,
      types: { getTypeParser: () => (bytes: unknown) => bytes },
    };
    const result = await this.client.query(query);
    const [{ rows, lines }] = batch.parse(result.rows);
    return { bytes: rows, lines: linesOfText(lines.toString('latin1')) };
  }
}

/** From each line to the next, as text: two bytes a row where no line is passed over. */
function textOfLines(lines: Uint32Array): string {
  return Array.from(lines, (line, index) => line - (lines[index - 1] ?? 0)).join(',');
}

function linesOfText(text: string): Uint32Array {
  let line = 0;
  return Uint32Array.from(text.split(','), (steps) => (line += Number(steps)));
}
