import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * From whom a job was last taken over, and when: that replica's last requests may be under way for one webhook timeout more.
 * Locks: `scheduler_state`, one row, for an instant.
 */
export class RememberWhoWentSilent1763900000016 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `ALTER TABLE scheduler_state ADD COLUMN silent_owner TEXT, ADD COLUMN silent_at TIMESTAMPTZ`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE scheduler_state DROP COLUMN silent_owner, DROP COLUMN silent_at`);
  }
}
