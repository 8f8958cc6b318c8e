import type { Client } from 'pg';
import { CopyToMessages } from './copy-rows.js';
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

  async commit(run: ImportRun, step: ImportStep): Promise<void> {
    await this.copy?.end();
    await this.ledger.advance(run, step);
    await this.client.query('COMMIT');
  }
}
