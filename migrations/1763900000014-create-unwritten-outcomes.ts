import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What PostgreSQL does not write to `messages`: outcomes that a trigger, a constraint, a row policy or somebody's lock
 * keeps out, and messages that cannot be claimed for such a reason (`settlement` is NULL). It is nearly always empty.
 *
 * `dispatcher_try_claims` tries to claim each message in a subtransaction that is rolled back, and tells for each whether PostgreSQL
 * takes it: a claim of many rows fails as a whole and names none. It says nothing of messages that are locked, nor of those
 * that it does not reach within the time limit.
 *
 * Locks: none, table and function are new.
 */
export class CreateUnwrittenOutcomes1763900000014 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE unwritten_outcomes (
        message_id BIGINT PRIMARY KEY,
        job_id BIGINT,
        fence INTEGER,
        settlement JSON,
        known_at TIMESTAMPTZ NOT NULL,
        sqlstate TEXT,
        reason TEXT NOT NULL,
        since TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
        tries INTEGER NOT NULL DEFAULT 0,
        retry_at TIMESTAMPTZ NOT NULL,
        CHECK ((settlement IS NULL) = (job_id IS NULL) AND (job_id IS NULL) = (fence IS NULL))
      )`);
    await queryRunner.query(`CREATE INDEX idx_unwritten_outcomes_retry ON unwritten_outcomes (retry_at)`);
    await this.createTryClaims(queryRunner);
  }

  async createTryClaims(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE FUNCTION dispatcher_try_claims(candidates BIGINT[], time_limit INTERVAL)
        RETURNS TABLE (tried_id BIGINT, is_refused BOOLEAN, refused_sqlstate TEXT, refused_by TEXT)
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
          is_refused := FALSE;
          refused_sqlstate := NULL;
          refused_by := NULL;
          BEGIN
            PERFORM FROM messages
              WHERE id = tried_id AND sent_status = FALSE AND parked_as IS NULL AND claimed_by IS NULL
              FOR UPDATE SKIP LOCKED;
            IF FOUND THEN
              UPDATE messages SET claimed_by = 0, claim_fence = 0 WHERE id = tried_id;
              GET DIAGNOSTICS written = ROW_COUNT;
              IF written = 0 THEN
                is_refused := TRUE;
                refused_by := 'a trigger or a row policy kept the row as it was';
              END IF;
            ELSIF EXISTS (
              SELECT FROM messages WHERE id = tried_id AND sent_status = FALSE AND parked_as IS NULL AND claimed_by IS NULL
            ) THEN
              is_refused := NULL;
            END IF;
            RAISE SQLSTATE 'MD000';
          EXCEPTION
            WHEN SQLSTATE 'MD000' THEN NULL;
            WHEN OTHERS THEN
              GET STACKED DIAGNOSTICS
                in_table = TABLE_NAME, in_constraint = CONSTRAINT_NAME, in_context = PG_EXCEPTION_CONTEXT;
              is_refused := TRUE;
              refused_sqlstate := SQLSTATE;
              refused_by := concat_ws(', ', 'SQLSTATE ' || SQLSTATE, 'table ' || nullif(in_table, ''),
                'constraint ' || nullif(in_constraint, ''),
                'function ' || nullif(substring(in_context FROM '^PL/\\w+ function ([^\\s(]{1,63})'), 'dispatcher_try_claims'));
          END;
          IF is_refused IS NOT NULL THEN
            RETURN NEXT;
          END IF;
        END LOOP;
      END $$`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP FUNCTION dispatcher_try_claims(BIGINT[], INTERVAL)`);
    await queryRunner.query(`DROP TABLE unwritten_outcomes`);
  }
}
