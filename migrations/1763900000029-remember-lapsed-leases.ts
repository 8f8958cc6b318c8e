import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * When a replica first saw that the lease of a job had run out, so that the grace of its owner is counted once by the whole
 * fleet, and not anew by each process that starts. Locks: `dispatch_jobs`, for an instant.
 */
export class RememberLapsedLeases1763900000029 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE dispatch_jobs ADD COLUMN lapse_seen_at TIMESTAMPTZ`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE dispatch_jobs DROP COLUMN lapse_seen_at`);
  }
}
