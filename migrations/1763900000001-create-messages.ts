import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The table that companies fill, as it is documented. A database that has it already is adopted as it stands.
 * Locks: none on an existing table, but for the index, which is built under a SHARE lock when it is missing.
 */
export class CreateMessages1763900000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE IF NOT EXISTS messages (
          id SERIAL PRIMARY KEY,
          recipient_phone TEXT NOT NULL CHECK (recipient_phone != ''),
          content TEXT NOT NULL CHECK (length(content) > 0 AND length(content) <= 160),
          sent_status BOOLEAN NOT NULL DEFAULT FALSE,
          sent_at TIMESTAMP
      )`);
    await queryRunner.query(
      `CREATE INDEX IF NOT EXISTS idx_messages_unsent ON messages (id) WHERE sent_status = FALSE`,
    );
  }

  /** Leaves the table where it is: it may have been there before this service, and it holds the company's messages. */
  async down(): Promise<void> {}
}
