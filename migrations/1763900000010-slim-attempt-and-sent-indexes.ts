import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Every message that is sent pays for each index entry. `delivery_attempts` is only ever read by message, so its primary key
 * serves that, and the separate index goes. `idx_messages_sent` becomes ascending and is read backwards: its newest entries
 * then go to the right edge, where PostgreSQL inserts without a search and fills pages whole.
 *
 * Takes an ACCESS EXCLUSIVE lock on `delivery_attempts` and a SHARE lock on `messages` while the indexes are built:
 * some seconds per million rows. Stop sending before it where the tables are large.
 */
export class SlimAttemptAndSentIndexes1763900000010 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE delivery_attempts
        DROP CONSTRAINT delivery_attempts_pkey,
        ADD CONSTRAINT delivery_attempts_pkey PRIMARY KEY (message_id, id)`);
    await queryRunner.query(`DROP INDEX idx_delivery_attempts_message`);
    await queryRunner.query(`DROP INDEX idx_messages_sent`);
    await queryRunner.query(`
      CREATE INDEX idx_messages_sent ON messages ((coalesce(sent_at, '-infinity'::timestamp)), id)
        WHERE sent_status = TRUE`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP INDEX idx_messages_sent`);
    await queryRunner.query(`
      CREATE INDEX idx_messages_sent ON messages ((coalesce(sent_at, '-infinity'::timestamp)) DESC, id DESC)
        WHERE sent_status = TRUE`);
    await queryRunner.query(`CREATE INDEX idx_delivery_attempts_message ON delivery_attempts (message_id, id)`);
    await queryRunner.query(`
      ALTER TABLE delivery_attempts
        DROP CONSTRAINT delivery_attempts_pkey,
        ADD CONSTRAINT delivery_attempts_pkey PRIMARY KEY (id)`);
  }
}
