import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * `idx_messages_pausing` serves lists in the order of ids without a look at what is parked or sent; only a message whose
 * attempt failed pays for it. `idx_messages_parked` leaves out what was parked and marked as sent by hand since, of which
 * there may be any number.
 *
 * Takes a SHARE lock on `messages` while the indexes are built: some seconds per million rows that pause or are parked, and
 * one read of the table.
 */
export class IndexWhatListsNeed1763900000017 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE INDEX idx_messages_pausing ON messages (id)
        WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NOT NULL`);
    await queryRunner.query(`
      CREATE INDEX idx_messages_parked_unsent ON messages (parked_as, id)
        WHERE parked_as IS NOT NULL AND sent_status = FALSE`);
    await queryRunner.query(`DROP INDEX idx_messages_parked`);
    await queryRunner.query(`ALTER INDEX idx_messages_parked_unsent RENAME TO idx_messages_parked`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP INDEX idx_messages_pausing`);
    await queryRunner.query(`
      CREATE INDEX idx_messages_parked_all ON messages (parked_as, id) WHERE parked_as IS NOT NULL`);
    await queryRunner.query(`DROP INDEX idx_messages_parked`);
    await queryRunner.query(`ALTER INDEX idx_messages_parked_all RENAME TO idx_messages_parked`);
  }
}
