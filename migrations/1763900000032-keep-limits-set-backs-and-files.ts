import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * `request_limit_ms`: how long the owner of a job lets its requests take, so that a stop which another replica is asked for waits
 * for a silent owner by that one's `webhook_timeout`.
 *
 * `clock_set_backs`: by how much the clock of PostgreSQL was set back, for as long as not all pauses that it timed before are
 * shortened by as much; `from_at` and `from_id` tell how far that is. It is nearly always empty.
 *
 * `file_settings`: what the settings file of each machine says, so that one which was only touched changes nothing.
 *
 * Locks: `dispatch_jobs` and `scheduler_state`, for an instant.
 */
export class KeepLimitsSetBacksAndFiles1763900000032 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE dispatch_jobs ADD COLUMN IF NOT EXISTS request_limit_ms INTEGER`);
    await queryRunner.query(`ALTER TABLE scheduler_state ADD COLUMN IF NOT EXISTS silent_limit_ms INTEGER`);
    await queryRunner.query(`
      CREATE TABLE IF NOT EXISTS clock_set_backs (
        epoch INTEGER PRIMARY KEY,
        set_back_ms FLOAT8 NOT NULL,
        since TIMESTAMPTZ NOT NULL,
        from_at TIMESTAMPTZ NOT NULL,
        from_id BIGINT NOT NULL
      )`);
    await queryRunner.query(`
      CREATE TABLE IF NOT EXISTS file_settings (
        host TEXT NOT NULL,
        path TEXT NOT NULL,
        settings JSONB NOT NULL,
        seen_at TIMESTAMPTZ NOT NULL,
        PRIMARY KEY (host, path)
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE file_settings`);
    await queryRunner.query(`DROP TABLE clock_set_backs`);
    await queryRunner.query(`ALTER TABLE scheduler_state DROP COLUMN silent_limit_ms`);
    await queryRunner.query(`ALTER TABLE dispatch_jobs DROP COLUMN request_limit_ms`);
  }
}
