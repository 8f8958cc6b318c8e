import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * `tail_since`: since when a job makes no more requests and only waits for some that hang, so that the next one may begin.
 * Locks: `dispatch_jobs`, for an instant.
 */
export class LetJobsTrail1763900000031 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE dispatch_jobs ADD COLUMN tail_since TIMESTAMPTZ`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE dispatch_jobs DROP COLUMN tail_since`);
  }
}
