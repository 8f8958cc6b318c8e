import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ask } from './ask.js';

/**
 * The table that companies fill, as it is documented. A database that has it already is adopted as it stands, whichever
 * schema of the search path it is in, and no second one is made beside it. Locks: none.
 */
export class CreateMessages1763900000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const [found] = await ask<{ oid: string | null }>(queryRunner, `SELECT to_regclass('messages') AS oid`);
    if (found?.oid != null) return;
    await queryRunner.query(`
      CREATE TABLE messages (
          id SERIAL PRIMARY KEY,
          recipient_phone TEXT NOT NULL CHECK (recipient_phone != ''),
          content TEXT NOT NULL CHECK (length(content) > 0 AND length(content) <= 160),
          sent_status BOOLEAN NOT NULL DEFAULT FALSE,
          sent_at TIMESTAMP
      )`);
    await queryRunner.query(`CREATE INDEX idx_messages_unsent ON messages (id) WHERE sent_status = FALSE`);
  }

  /** Leaves the table where it is: it may have been there before this service, and it holds the company's messages. */
  async down(): Promise<void> {}
}
