import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Retries are claimed where they lie, the longest due first, rather than being made fresh ones before. `retry_horizon` is for
 * them what `horizon` is for fresh ones; `claimed_from` to `claimed_to`, and `retries_from` to `retries_to` (microseconds since
 * 1970, and id), are where a job's claims lie, so that they are found without a look at anything else.
 *
 * Locks: `dispatch_jobs` for an instant.
 */
export class ClaimRetriesInPlace1763900000013 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE dispatch_jobs
        ADD COLUMN retry_horizon TIMESTAMPTZ,
        ADD COLUMN claimed_from BIGINT,
        ADD COLUMN retries_from BIGINT[],
        ADD COLUMN retries_to BIGINT[]`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE dispatch_jobs
        DROP COLUMN retry_horizon, DROP COLUMN claimed_from, DROP COLUMN retries_from, DROP COLUMN retries_to`);
  }
}
