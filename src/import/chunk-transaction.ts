import type { Client } from 'pg';
import { CopyToMessages, keptOut } from './copy-rows.js';
import type { ImportLedger, ImportRun, ImportStep } from './import-ledger.js';

/** Rows on their way into `messages`, and the position after them: PostgreSQL gets both or neither. */
export class ChunkTransaction {
  private copy: CopyToMessages | null = null;

  private constructor(
    private readonly client: Client,
    private readonly ledger: ImportLedger,
  ) {}

  static async begin(client: Client, ledger: ImportLedger): Promise<ChunkTransaction> {
    await client.query('BEGIN');
    return new ChunkTransaction(client, ledger);
  }

  /** PostgreSQL works on these rows while the next ones are read. */
  async write(rows: Buffer): Promise<void> {
    this.copy ??= new CopyToMessages(this.client);
    await this.copy.write(rows);
  }

  /** @throws MessagesKeptOut when PostgreSQL kept a row out without an error; nothing of the step is stored then. */
  async commit(run: ImportRun, step: ImportStep): Promise<void> {
    const taken = (await this.copy?.end()) ?? 0;
    if (taken !== step.stored) throw await keptOut(this.client);
    await this.ledger.advance(run, step);
    await this.client.query('COMMIT');
  }
}
