import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The schedule of the whole fleet, one row, and the queue of its jobs, one row per slot.
 * `version` makes every change of either a compare-and-swap; `fence` tells a job's successive owners apart.
 * `installation_id` makes idempotency keys unique across databases, whose message ids all start at 1.
 * Locks: none, the tables are new.
 */
export class CreateSchedule1763900000004 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE scheduler_state (
        only_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
        version BIGINT NOT NULL DEFAULT 0,
        installation_id UUID NOT NULL DEFAULT gen_random_uuid(),
        running BOOLEAN NOT NULL DEFAULT FALSE,
        auto_sending BOOLEAN,
        interval_ms BIGINT NOT NULL DEFAULT 120000 CHECK (interval_ms > 0),
        last_slot_at TIMESTAMPTZ,
        next_slot_at TIMESTAMPTZ NOT NULL DEFAULT now(),
        overflow_total BIGINT NOT NULL DEFAULT 0,
        clock_epoch INTEGER NOT NULL DEFAULT 0,
        changed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
        changed_by TEXT,
        changed_why TEXT
      )`);
    await queryRunner.query(`INSERT INTO scheduler_state DEFAULT VALUES`);
    await queryRunner.query(`
      CREATE TABLE dispatch_jobs (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        due_at TIMESTAMPTZ NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'dropped')),
        fence INTEGER NOT NULL DEFAULT 0,
        owner TEXT,
        lease_until TIMESTAMPTZ,
        started_at TIMESTAMPTZ,
        finished_at TIMESTAMPTZ,
        budget INTEGER,
        claimed INTEGER NOT NULL DEFAULT 0 CHECK (claimed <= budget),
        horizon BIGINT,
        claimed_to BIGINT,
        sent INTEGER NOT NULL DEFAULT 0,
        not_sent INTEGER NOT NULL DEFAULT 0,
        note TEXT
      )`);
    await queryRunner.query(
      `CREATE INDEX idx_dispatch_jobs_open ON dispatch_jobs (id) WHERE state IN ('waiting', 'running')`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP TABLE dispatch_jobs`);
    await queryRunner.query(`DROP TABLE scheduler_state`);
  }
}
