import type { Client } from 'pg';
import { databaseFaultOf, postgresErrorOf, refusalOf } from '../database-fault.js';
import { MessagesKeptOut } from '../messages/message-errors.js';
import { CopyToMessages, type RowBatch } from './copy-rows.js';
import { ImportRefusedByDatabase } from './import-errors.js';
import type { RowFault } from './row-taker.js';

/** Each of them costs some thirty statements and as many subtransactions. More than so many are a matter of the table. */
const REFUSED_MAX = 1_000;
const NEWLINE = 0x0a;
const KEPT_OUT = 'is kept out of the table by the database without an error (a trigger that returns NULL, or a rule)';

/** Whether rows were refused for what they are, or kept out, so that others may be stored. */
export function isOfRows(error: unknown): boolean {
  return error instanceof MessagesKeptOut || (postgresErrorOf(error) !== null && databaseFaultOf(error) === 'refused');
}

/**
 * Makes messages of rows in one transaction, in their order, so that one that PostgreSQL refuses costs itself alone: what is
 * refused is undone and halved, down to the row. Deferred triggers and constraints are asked at once.
 */
export class RowByRow {
  stored = 0;
  readonly refused: RowFault[] = [];

  private constructor(private readonly client: Client) {}

  /** Ends the transaction that failed, if there is one, and begins another. */
  static async begin(client: Client): Promise<RowByRow> {
    await client.query('ROLLBACK');
    await client.query('BEGIN; SET CONSTRAINTS ALL IMMEDIATE');
    return new RowByRow(client);
  }

  /** @throws ImportRefusedByDatabase when too many rows were refused, and whatever is not the matter of a row. */
  async add({ bytes, lines }: RowBatch, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const reason = await this.tried(bytes, lines.length);
    if (reason === null) {
      this.stored += lines.length;
      return;
    }
    const [line = 0] = lines;
    if (lines.length > 1) {
      const middle = lines.length >> 1;
      const cut = endOfRow(bytes, middle);
      await this.add({ bytes: bytes.subarray(0, cut), lines: lines.subarray(0, middle) }, signal);
      await this.add({ bytes: bytes.subarray(cut), lines: lines.subarray(middle) }, signal);
      return;
    }
    this.refused.push({ line, field: '', reason });
    const [first] = this.refused;
    if (first !== undefined && this.refused.length > REFUSED_MAX) throw new ImportRefusedByDatabase(REFUSED_MAX, first);
  }

  /** Why these rows were not stored; null: they are. */
  private async tried(bytes: Buffer, count: number): Promise<string | null> {
    await this.client.query('SAVEPOINT some_rows');
    let reason: string | null = KEPT_OUT;
    try {
      const copy = new CopyToMessages(this.client);
      await copy.write(bytes);
      if ((await copy.end()) === count) reason = null;
    } catch (error) {
      if (!isOfRows(error)) throw error;
      reason = `is refused by PostgreSQL (${refusalOf(error).text})`;
    }
    await this.client.query(reason === null ? 'RELEASE some_rows' : 'ROLLBACK TO some_rows; RELEASE some_rows');
    return reason;
  }
}

/** Where the first `rows` rows end; within a row a line end is escaped. */
function endOfRow(bytes: Buffer, rows: number): number {
  let at = 0;
  for (let row = 0; row < rows; row += 1) at = bytes.indexOf(NEWLINE, at) + 1;
  return at;
}
