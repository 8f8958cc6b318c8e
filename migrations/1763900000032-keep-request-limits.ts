import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How long the owner of a job lets its requests take, so that a stop which another replica is asked for waits for a silent
 * owner by that one's `webhook_timeout`. Locks: `dispatch_jobs` and `scheduler_state`, for an instant.
 */
export class KeepRequestLimits1763900000032 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE dispatch_jobs ADD COLUMN request_limit_ms INTEGER`);
    await queryRunner.query(`ALTER TABLE scheduler_state ADD COLUMN silent_limit_ms INTEGER`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE scheduler_state DROP COLUMN silent_limit_ms`);
    await queryRunner.query(`ALTER TABLE dispatch_jobs DROP COLUMN request_limit_ms`);
  }
}
