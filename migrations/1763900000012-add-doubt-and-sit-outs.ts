import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * `doubt`: the error of the first attempt of which nobody knows the outcome; NULL: there is none. A message with a doubt is
 * never parked as failed. `sit_outs`: attempts that were not charged, because their answer may be the fault of the way.
 *
 * `probe_id`: the message with which the job probes the way to the receiver; it lies apart from its other claims.
 *
 * Locks: ACCESS EXCLUSIVE on `messages` for an instant; a constant default rewrites nothing.
 */
export class AddDoubtAndSitOuts1763900000012 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `ALTER TABLE messages
         ADD COLUMN IF NOT EXISTS doubt TEXT, ADD COLUMN IF NOT EXISTS sit_outs INTEGER NOT NULL DEFAULT 0`,
    );
    await queryRunner.query(`ALTER TABLE dispatch_jobs ADD COLUMN probe_id BIGINT`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE dispatch_jobs DROP COLUMN probe_id`);
    await queryRunner.query(`ALTER TABLE messages DROP COLUMN doubt, DROP COLUMN sit_outs`);
  }
}
