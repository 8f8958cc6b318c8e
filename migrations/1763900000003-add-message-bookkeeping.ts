import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What the service notes on a message, all with defaults so that a bare INSERT by hand keeps working.
 *
 * The claim (`claimed_by`, `claim_fence`) is in no index and in no index predicate, and pages are filled by 45 % only:
 * a claim is then a heap-only update, which costs no index write. `idx_messages_sendable` serves the claim and is as
 * large as the backlog; `idx_messages_sent` serves the list of sent messages, rows marked by hand without a time last.
 *
 * Locks: ACCESS EXCLUSIVE for an instant (no rewrite), then SHARE while the indexes of an adopted table are built.
 */
export class AddMessageBookkeeping1763900000003 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE messages
        ADD COLUMN IF NOT EXISTS message_id TEXT,
        ADD COLUMN IF NOT EXISTS created_at TIMESTAMPTZ,
        ADD COLUMN IF NOT EXISTS attempts INTEGER NOT NULL DEFAULT 0,
        ADD COLUMN IF NOT EXISTS next_attempt_at TIMESTAMPTZ,
        ADD COLUMN IF NOT EXISTS claimed_by BIGINT,
        ADD COLUMN IF NOT EXISTS claim_fence INTEGER,
        ADD COLUMN IF NOT EXISTS parked_as TEXT CHECK (parked_as IN ('failed', 'uncertain', 'cancelled')),
        ADD COLUMN IF NOT EXISTS parked_reason TEXT,
        ADD COLUMN IF NOT EXISTS parked_at TIMESTAMPTZ`);
    await queryRunner.query(`ALTER TABLE messages ALTER COLUMN created_at SET DEFAULT now()`);
    await queryRunner.query(`ALTER TABLE messages SET (fillfactor = 45)`);
    await queryRunner.query(`
      CREATE INDEX idx_messages_sendable ON messages (id)
        WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NULL`);
    await queryRunner.query(`
      CREATE INDEX idx_messages_retry ON messages (next_attempt_at)
        WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NOT NULL`);
    await queryRunner.query(`CREATE INDEX idx_messages_parked ON messages (parked_as, id) WHERE parked_as IS NOT NULL`);
    await queryRunner.query(`
      CREATE INDEX idx_messages_sent ON messages ((coalesce(sent_at, '-infinity'::timestamp)) DESC, id DESC)
        WHERE sent_status = TRUE`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `DROP INDEX idx_messages_sendable, idx_messages_retry, idx_messages_parked, idx_messages_sent`,
    );
    await queryRunner.query(`
      ALTER TABLE messages
        DROP COLUMN message_id, DROP COLUMN created_at, DROP COLUMN attempts, DROP COLUMN next_attempt_at,
        DROP COLUMN claimed_by, DROP COLUMN claim_fence,
        DROP COLUMN parked_as, DROP COLUMN parked_reason, DROP COLUMN parked_at`);
    await queryRunner.query(`ALTER TABLE messages RESET (fillfactor)`);
  }
}
