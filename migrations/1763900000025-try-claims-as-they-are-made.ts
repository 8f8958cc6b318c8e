import type { MigrationInterface, QueryRunner } from 'typeorm';
import { CreateUnwrittenOutcomes1763900000014 } from './1763900000014-create-unwritten-outcomes.js';

/**
 * `dispatcher_try_claims` tries each claim as a job makes it: under the job's id and fence, with all deferred constraint triggers, and
 * with the row looked at afterwards. Whatever a trigger raises is its refusal, also ASSERT, and RAISE under the SQLSTATE of a
 * cancelled statement. A row that waits for a lock is given 100 ms, and less after each that did not get its lock. A row that
 * has run for `slow_after` when the statement is cancelled is refused as slow, and is the last one: whoever calls sets
 * `statement_timeout` to `time_limit` and `slow_after` together, so that no other row can be meant.
 *
 * It returns a row for each message that it tried, in their order; `is_refused` is NULL where another transaction has the
 * message locked.
 *
 * Locks: none.
 */
export class TryClaimsAsTheyAreMade1763900000025 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP FUNCTION IF EXISTS dispatcher_try_claims(BIGINT[], INTERVAL)`);
    await queryRunner.query(`
      CREATE OR REPLACE FUNCTION dispatcher_try_claims(
          candidates BIGINT[], as_job BIGINT, as_fence INTEGER, time_limit INTERVAL, slow_after INTERVAL)
        RETURNS TABLE (tried_id BIGINT, is_refused BOOLEAN, refused_sqlstate TEXT, refused_by TEXT)
        LANGUAGE plpgsql AS $$
      DECLARE
        ends_at CONSTANT TIMESTAMPTZ := clock_timestamp() + time_limit;
        patience_ms INTEGER := 100;
        began_at TIMESTAMPTZ;
        is_through BOOLEAN;
        is_cancelled BOOLEAN := FALSE;
        in_table TEXT;
        in_constraint TEXT;
        in_context TEXT;
      BEGIN
        FOREACH tried_id IN ARRAY candidates LOOP
          is_refused := FALSE;
          refused_sqlstate := NULL;
          refused_by := NULL;
          is_through := FALSE;
          began_at := clock_timestamp();
          PERFORM set_config('lock_timeout', patience_ms || 'ms', TRUE);
          BEGIN
            PERFORM FROM messages
              WHERE id = tried_id AND sent_status = FALSE AND parked_as IS NULL AND claimed_by IS NULL
              FOR UPDATE SKIP LOCKED;
            IF FOUND THEN
              UPDATE messages SET claimed_by = as_job, claim_fence = as_fence WHERE id = tried_id;
              SET CONSTRAINTS ALL IMMEDIATE;
              IF NOT EXISTS (
                SELECT FROM messages WHERE id = tried_id AND sent_status = FALSE AND parked_as IS NULL
                  AND claimed_by = as_job AND claim_fence = as_fence
              ) THEN
                is_refused := TRUE;
                refused_by := 'a trigger or a row policy kept the row as it was';
              END IF;
            ELSIF EXISTS (
              SELECT FROM messages WHERE id = tried_id AND sent_status = FALSE AND parked_as IS NULL AND claimed_by IS NULL
            ) THEN
              is_refused := NULL;
            END IF;
            is_through := TRUE;
            RAISE 'all of it is taken back';
          EXCEPTION
            WHEN OTHERS OR QUERY_CANCELED OR ASSERT_FAILURE THEN
              IF NOT is_through THEN
                GET STACKED DIAGNOSTICS
                  in_table = TABLE_NAME, in_constraint = CONSTRAINT_NAME, in_context = PG_EXCEPTION_CONTEXT;
                is_refused := TRUE;
                refused_sqlstate := SQLSTATE;
                is_cancelled := SQLSTATE = '57014' AND clock_timestamp() - began_at >= slow_after;
                IF SQLSTATE = '55P03' THEN
                  patience_ms := greatest(patience_ms / 4, 5);
                END IF;
                refused_by := regexp_replace(concat_ws(', ', 'SQLSTATE ' || SQLSTATE, 'table ' || nullif(in_table, ''),
                  'constraint ' || nullif(in_constraint, ''), 'function ' || nullif(
                    (regexp_match(in_context, '(?n)^PL/\\w+[- ]\\w+ "?([^\\s("]{1,63})'))[1], 'dispatcher_try_claims')),
                  '\\d([ _.-]?\\d){5,}', '***', 'g');
              END IF;
          END;
          RETURN NEXT;
          EXIT WHEN is_cancelled OR clock_timestamp() > ends_at;
        END LOOP;
      END $$`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP FUNCTION dispatcher_try_claims(BIGINT[], BIGINT, INTEGER, INTERVAL, INTERVAL)`);
    await new CreateUnwrittenOutcomes1763900000014().createTryClaims(queryRunner);
  }
}
