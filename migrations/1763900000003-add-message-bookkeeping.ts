import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ask } from './ask.js';

/**
 * What the service notes on a message, all with defaults so that a bare INSERT by hand keeps working. A table that was
 * restored from a backup has the columns already; a company's own `created_at` keeps the default that it has.
 *
 * The claim (`claimed_by`, `claim_fence`) is in no index and in no index predicate, and pages are filled by 45 % only:
 * a claim is then a heap-only update, which costs no index write.
 *
 * Locks: ACCESS EXCLUSIVE for an instant: nothing is rewritten, and the check is validated later.
 */
export class AddMessageBookkeeping1763900000003 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    const found = await ask<{ name: string }>(
      queryRunner,
      `SELECT attname AS name FROM pg_attribute WHERE attrelid = 'messages'::regclass AND NOT attisdropped
       UNION ALL SELECT conname FROM pg_constraint WHERE conrelid = 'messages'::regclass`,
    );
    const has = (name: string) => found.some((row) => row.name === name);
    await queryRunner.query(`
      ALTER TABLE messages
        ADD COLUMN IF NOT EXISTS message_id TEXT,
        ADD COLUMN IF NOT EXISTS created_at TIMESTAMPTZ,
        ADD COLUMN IF NOT EXISTS attempts INTEGER NOT NULL DEFAULT 0,
        ADD COLUMN IF NOT EXISTS next_attempt_at TIMESTAMPTZ,
        ADD COLUMN IF NOT EXISTS claimed_by BIGINT,
        ADD COLUMN IF NOT EXISTS claim_fence INTEGER,
        ADD COLUMN IF NOT EXISTS parked_as TEXT,
        ADD COLUMN IF NOT EXISTS parked_reason TEXT,
        ADD COLUMN IF NOT EXISTS parked_at TIMESTAMPTZ`);
    if (!has('created_at')) {
      await queryRunner.query(`ALTER TABLE messages ALTER COLUMN created_at SET DEFAULT now()`);
    }
    if (!has('messages_parked_as_check')) {
      await queryRunner.query(`
        ALTER TABLE messages ADD CONSTRAINT messages_parked_as_check
          CHECK (parked_as IN ('failed', 'uncertain', 'cancelled')) NOT VALID`);
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE messages
        DROP COLUMN message_id, DROP COLUMN created_at, DROP COLUMN attempts, DROP COLUMN next_attempt_at,
        DROP COLUMN claimed_by, DROP COLUMN claim_fence,
        DROP COLUMN parked_as, DROP COLUMN parked_reason, DROP COLUMN parked_at`);
  }
}
