import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Retries are claimed where they lie, the longest due first, rather than being made fresh ones before. `retry_horizon` is for
 * them what `horizon` is for fresh ones; `claimed_from` to `claimed_to`, and `retries_from` to `retries_to` (microseconds since
 * 1970, and id), are where a job's claims lie, so that they are found without a look at anything else. Retries whose pauses
 * end at the same instant are in the index by their ids, so that a claim can go on in the midst of them.
 *
 * Locks: SHARE on `messages` while the index of the pausing messages is built anew.
 */
export class ClaimRetriesInPlace1763900000013 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE dispatch_jobs
        ADD COLUMN retry_horizon TIMESTAMPTZ,
        ADD COLUMN claimed_from BIGINT,
        ADD COLUMN retries_from BIGINT[],
        ADD COLUMN retries_to BIGINT[]`);
    await queryRunner.query(`DROP INDEX idx_messages_retry`);
    await queryRunner.query(`
      CREATE INDEX idx_messages_retry ON messages (next_attempt_at, id)
        WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NOT NULL`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP INDEX idx_messages_retry`);
    await queryRunner.query(`
      CREATE INDEX idx_messages_retry ON messages (next_attempt_at)
        WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NOT NULL`);
    await queryRunner.query(`
      ALTER TABLE dispatch_jobs
        DROP COLUMN retry_horizon, DROP COLUMN claimed_from, DROP COLUMN retries_from, DROP COLUMN retries_to`);
  }
}
