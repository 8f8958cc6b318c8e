import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How often in a row a run of the job threw or its owner vanished. Owners that hand a job over are no failures, so its fence
 * does not tell. Locks: `dispatch_jobs`, a small table, for an instant.
 */
export class CountFailuresOfJobs1763900000022 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE dispatch_jobs ADD COLUMN failures INTEGER NOT NULL DEFAULT 0`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE dispatch_jobs DROP COLUMN failures`);
  }
}
