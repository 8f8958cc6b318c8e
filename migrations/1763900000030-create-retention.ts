import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What retention needs: who of the fleet is at it (`retention_state`, one row), and how far each of its walks is
 * (`retention_walks`, one row per walk).
 *
 * `dispatcher_forget_singly` deletes or erases messages one by one, each in a subtransaction: PostgreSQL refuses a statement about many
 * rows as a whole, and names none. NULL in `is_done`: somebody has the row locked, or it is not to be forgotten any more.
 *
 * Locks: SHARE on `imports` while its index is built. In one transaction: what is there before it is somebody else's.
 */
export class CreateRetention1763900000030 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`CREATE INDEX idx_imports_finished ON imports (finished_at)`);
    await queryRunner.query(`
      CREATE TABLE retention_state (
        only_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
        owner TEXT,
        lease_until TIMESTAMPTZ,
        limits TEXT,
        swept_at TIMESTAMPTZ
      )`);
    await queryRunner.query(`INSERT INTO retention_state DEFAULT VALUES`);
    await queryRunner.query(`
      CREATE TABLE retention_walks (
        walk TEXT PRIMARY KEY,
        days INTEGER NOT NULL,
        place_at BIGINT,
        place_id BIGINT,
        begun_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
        ended_at TIMESTAMPTZ,
        done BIGINT NOT NULL DEFAULT 0,
        refused BIGINT NOT NULL DEFAULT 0,
        reason TEXT
      )`);
    await queryRunner.query(FORGET_SINGLY);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP FUNCTION dispatcher_forget_singly(TEXT, BIGINT[], TIMESTAMPTZ, INTERVAL)`);
    await queryRunner.query(`DROP TABLE retention_walks, retention_state`);
    await queryRunner.query(`DROP INDEX idx_imports_finished`);
  }
}

// What it looks at again under the lock is what `message-walks.ts` looked at before.
const FORGET_SINGLY = `
  CREATE OR REPLACE FUNCTION dispatcher_forget_singly(act TEXT, candidates BIGINT[], cutoff TIMESTAMPTZ, time_limit INTERVAL)
    RETURNS TABLE (tried_id BIGINT, is_done BOOLEAN, refused_sqlstate TEXT, refused_by TEXT)
    LANGUAGE plpgsql AS $$
  DECLARE
    ends_at CONSTANT TIMESTAMPTZ := clock_timestamp() + time_limit;
    written BIGINT;
    in_table TEXT;
    in_constraint TEXT;
    in_context TEXT;
  BEGIN
    FOREACH tried_id IN ARRAY candidates LOOP
      EXIT WHEN clock_timestamp() > ends_at;
      is_done := NULL;
      refused_sqlstate := NULL;
      refused_by := NULL;
      BEGIN
        PERFORM FROM messages message
          WHERE message.id = tried_id
            AND CASE WHEN sent_status THEN coalesce(sent_at AT TIME ZONE 'UTC', created_at) < cutoff
                  ELSE parked_as IN ('failed', 'cancelled') AND coalesce(parked_at, created_at) < cutoff END
            AND NOT EXISTS (SELECT FROM unwritten_outcomes kept WHERE kept.message_id = message.id)
            AND NOT EXISTS (SELECT FROM dispatch_jobs job WHERE job.id = message.claimed_by AND job.state = 'running')
          FOR UPDATE SKIP LOCKED;
        IF FOUND THEN
          IF act = 'delete' THEN
            DELETE FROM messages WHERE id = tried_id;
            GET DIAGNOSTICS written = ROW_COUNT;
          ELSE
            written := 0;
            UPDATE messages SET recipient_phone = '[erased]', content = '[erased]',
              parked_reason = CASE WHEN parked_reason IS NOT NULL THEN '[erased]' END
            WHERE id = tried_id
            RETURNING (recipient_phone = '[erased]' AND content = '[erased]')::int INTO written;
          END IF;
          SET CONSTRAINTS ALL IMMEDIATE;
          is_done := coalesce(written, 0) > 0;
          IF NOT is_done THEN
            refused_by := 'a trigger or a row policy kept the row as it was';
          ELSIF act = 'delete' THEN
            DELETE FROM delivery_attempts WHERE message_id = tried_id;
          ELSE
            UPDATE delivery_attempts SET error = NULL, response_excerpt = NULL
            WHERE message_id = tried_id AND (error IS NOT NULL OR response_excerpt IS NOT NULL);
          END IF;
        END IF;
      EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS
          in_table = TABLE_NAME, in_constraint = CONSTRAINT_NAME, in_context = PG_EXCEPTION_CONTEXT;
        is_done := FALSE;
        refused_sqlstate := SQLSTATE;
        refused_by := concat_ws(', ', 'SQLSTATE ' || SQLSTATE, 'table ' || nullif(in_table, ''),
          'constraint ' || nullif(in_constraint, ''),
          'function ' || nullif(substring(in_context FROM '^PL/\\w+ function ([^\\s(]{1,63})'), 'dispatcher_forget_singly'));
      END;
      RETURN NEXT;
    END LOOP;
  END $$`;
