import type { Client } from 'pg';
import { CopyToMessages, keptOut, type RowBatch } from './copy-rows.js';
import type { ImportLedger, ImportRun, ImportStep } from './import-ledger.js';
import type { ImportMode } from './import-report.js';
import { isOfRows, RowByRow } from './row-by-row.js';
import type { RowFault } from './row-taker.js';

/**
 * Rows on their way into `messages`, and the position after them: PostgreSQL gets both or neither. With `per-row` they are
 * kept until then, so that those that PostgreSQL refuses can be left out.
 */
export class ChunkTransaction {
  private copy: CopyToMessages | null = null;
  private readonly kept: RowBatch[] = [];
  private isRefused = false;

  private constructor(
    private readonly client: Client,
    private readonly ledger: ImportLedger,
    private readonly mode: ImportMode,
  ) {}

  static async begin(client: Client, ledger: ImportLedger, mode: ImportMode): Promise<ChunkTransaction> {
    await client.query('BEGIN');
    return new ChunkTransaction(client, ledger, mode);
  }

  /** PostgreSQL works on these rows while the next ones are read. */
  async write(rows: RowBatch): Promise<void> {
    if (this.mode === 'per-row') this.kept.push(rows);
    if (this.isRefused) return;
    await this.unlessOfRows(async () => {
      this.copy ??= new CopyToMessages(this.client);
      await this.copy.write(rows.bytes);
    });
  }

  /**
   * Resolves with the rows that PostgreSQL refused, none with `all-or-nothing`.
   * @throws MessagesKeptOut when PostgreSQL kept a row out without an error; nothing of the step is stored then.
   */
  async commit(run: ImportRun, step: ImportStep): Promise<readonly RowFault[]> {
    if (!this.isRefused) {
      await this.unlessOfRows(async () => {
        const taken = (await this.copy?.end()) ?? 0;
        if (taken !== step.stored) throw await keptOut(this.client);
        await this.finish(run, step);
      });
    }
    if (!this.isRefused) return [];
    const rows = await RowByRow.begin(this.client);
    for (const batch of this.kept) await rows.add(batch);
    const refused = step.refused + rows.refused.length;
    await this.finish(run, { ...step, stored: rows.stored, refused });
    return rows.refused;
  }

  private async finish(run: ImportRun, step: ImportStep): Promise<void> {
    await this.ledger.advance(run, step);
    await this.client.query('COMMIT');
  }

  private async unlessOfRows(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.mode === 'all-or-nothing' || !isOfRows(error)) throw error;
      this.isRefused = true;
    }
  }
}
