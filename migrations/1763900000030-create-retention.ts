import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What retention needs: who of the fleet is at it (`retention_state`, one row), and how far each of its walks is
 * (`retention_walks`, one row per walk).
 *
 * `dispatcher_forget_singly` deletes or erases messages one by one, each in a subtransaction: PostgreSQL refuses a statement about many
 * rows as a whole, and names none. It is told where each row lies, for a table that inherits from `messages` may repeat an id. Whatever a
 * trigger raises is its refusal, also ASSERT and the SQLSTATE of a cancelled statement; the row is looked at again afterwards. NULL in
 * `is_done`: somebody has the row locked, or it is not to be forgotten any more.
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
    await queryRunner.query(
      `DROP FUNCTION dispatcher_forget_singly(TEXT, BIGINT[], OID[], TID[], TIMESTAMPTZ, INTERVAL)`,
    );
    await queryRunner.query(`DROP TABLE retention_walks, retention_state`);
    await queryRunner.query(`DROP INDEX idx_imports_finished`);
  }
}

// What it looks at again under the lock is what `message-walks.ts` looked at before.
const FORGET_SINGLY = `
  CREATE OR REPLACE FUNCTION dispatcher_forget_singly(
      act TEXT, candidates BIGINT[], sources OID[], places TID[], cutoff TIMESTAMPTZ, time_limit INTERVAL)
    RETURNS TABLE (tried_id BIGINT, is_done BOOLEAN, refused_sqlstate TEXT, refused_by TEXT)
    LANGUAGE plpgsql AS $$
  DECLARE
    ends_at CONSTANT TIMESTAMPTZ := clock_timestamp() + time_limit;
    is_cancelled BOOLEAN := FALSE;
    source OID;
    place TID;
    in_table TEXT;
    in_constraint TEXT;
    in_context TEXT;
  BEGIN
    FOR at IN 1 .. cardinality(candidates) LOOP
      EXIT WHEN is_cancelled OR clock_timestamp() > ends_at;
      tried_id := candidates[at];
      source := sources[at];
      place := places[at];
      is_done := NULL;
      refused_sqlstate := NULL;
      refused_by := NULL;
      BEGIN
        PERFORM FROM messages message
          WHERE message.ctid = place AND message.tableoid = source AND message.id = tried_id
            AND CASE WHEN sent_status THEN coalesce(sent_at AT TIME ZONE 'UTC', created_at) < cutoff
                  ELSE parked_as IN ('failed', 'cancelled') AND coalesce(parked_at, created_at) < cutoff END
            AND NOT EXISTS (SELECT FROM unwritten_outcomes kept WHERE kept.message_id = message.id)
            AND NOT EXISTS (SELECT FROM dispatch_jobs job WHERE job.id = message.claimed_by AND job.state = 'running')
          FOR UPDATE SKIP LOCKED;
        IF FOUND THEN
          IF act = 'delete' THEN
            DELETE FROM messages WHERE ctid = place AND tableoid = source AND id = tried_id;
            is_done := FOUND;
          ELSE
            UPDATE messages SET recipient_phone = '[erased]', content = '[erased]',
              parked_reason = CASE WHEN parked_reason IS NOT NULL THEN '[erased]' END
            WHERE ctid = place AND tableoid = source AND id = tried_id;
            is_done := FOUND;
          END IF;
          SET CONSTRAINTS ALL IMMEDIATE;
          is_done := is_done AND NOT EXISTS (
            SELECT FROM messages message WHERE message.id = tried_id AND message.tableoid = source
              AND (act = 'delete' OR NOT coalesce(recipient_phone = '[erased]' AND content = '[erased]', FALSE)));
          IF NOT is_done THEN
            refused_by := 'a trigger or a row policy kept the row as it was';
          ELSIF act = 'delete' THEN
            DELETE FROM delivery_attempts WHERE message_id = tried_id;
          ELSE
            UPDATE delivery_attempts SET error = NULL, response_excerpt = NULL
            WHERE message_id = tried_id AND (error IS NOT NULL OR response_excerpt IS NOT NULL);
          END IF;
        END IF;
      EXCEPTION WHEN OTHERS OR QUERY_CANCELED OR ASSERT_FAILURE THEN
        GET STACKED DIAGNOSTICS
          in_table = TABLE_NAME, in_constraint = CONSTRAINT_NAME, in_context = PG_EXCEPTION_CONTEXT;
        is_done := FALSE;
        is_cancelled := SQLSTATE = '57014';
        refused_sqlstate := SQLSTATE;
        refused_by := regexp_replace(concat_ws(', ', 'SQLSTATE ' || SQLSTATE, 'table ' || nullif(in_table, ''),
          'constraint ' || nullif(in_constraint, ''), 'function ' || nullif(
            (regexp_match(in_context, '(?n)^PL/\\w+[- ]\\w+ "?([^\\s("]{1,63})'))[1], 'dispatcher_forget_singly')),
          '\\d([ _.-]?\\d){5,}', '***', 'g');
      END;
      RETURN NEXT;
    END LOOP;
  END $$`;
