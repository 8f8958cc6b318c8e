import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What PostgreSQL does not write to `messages`: outcomes that a trigger, a constraint, a row policy or somebody's lock
 * keeps out, and messages that cannot be claimed for such a reason (`settlement` is NULL). It is nearly always empty.
 *
 * `refused_claims` tries to claim each message in a subtransaction that is rolled back, and tells which ones PostgreSQL
 * refuses: a claim of many rows fails as a whole and names none.
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
    await queryRunner.query(`
      CREATE FUNCTION refused_claims(candidates BIGINT[], time_limit INTERVAL)
        RETURNS TABLE (refused_id BIGINT, refused_sqlstate TEXT, refused_by TEXT)
        LANGUAGE plpgsql AS $$
      DECLARE
        ends_at CONSTANT TIMESTAMPTZ := clock_timestamp() + time_limit;
        candidate BIGINT;
        written BIGINT;
        in_table TEXT;
        in_constraint TEXT;
      BEGIN
        FOREACH candidate IN ARRAY candidates LOOP
          EXIT WHEN clock_timestamp() > ends_at;
          refused_id := NULL;
          BEGIN
            PERFORM FROM messages
              WHERE id = candidate AND sent_status = FALSE AND parked_as IS NULL AND claimed_by IS NULL
              FOR UPDATE SKIP LOCKED;
            IF FOUND THEN
              UPDATE messages SET claimed_by = 0, claim_fence = 0 WHERE id = candidate;
              GET DIAGNOSTICS written = ROW_COUNT;
              IF written = 0 THEN
                refused_id := candidate;
                refused_sqlstate := NULL;
                refused_by := 'a trigger or a row policy kept the row as it was';
              END IF;
            END IF;
            RAISE SQLSTATE 'MD000';
          EXCEPTION
            WHEN SQLSTATE 'MD000' THEN NULL;
            WHEN OTHERS THEN
              GET STACKED DIAGNOSTICS in_table = TABLE_NAME, in_constraint = CONSTRAINT_NAME;
              refused_id := candidate;
              refused_sqlstate := SQLSTATE;
              refused_by := concat_ws(', ', 'SQLSTATE ' || SQLSTATE, 'table ' || nullif(in_table, ''),
                'constraint ' || nullif(in_constraint, ''));
          END;
          IF refused_id IS NOT NULL THEN
            RETURN NEXT;
          END IF;
        END LOOP;
      END $$`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP FUNCTION refused_claims(BIGINT[], INTERVAL)`);
    await queryRunner.query(`DROP TABLE unwritten_outcomes`);
  }
}
