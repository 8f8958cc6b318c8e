import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ask } from './ask.js';

const ROWS_AT_ONCE = 10_000;

/**
 * In an adopted table `sent_status` may be NULL, which counts as unsent: it becomes FALSE, and NOT NULL from then on.
 * A default that the company gave the column stays.
 *
 * Locks: rows, 10,000 at a time; ACCESS EXCLUSIVE for an instant: a check that was validated before saves the look at all
 * rows. It can be repeated where it was broken off.
 */
export class CountNullAsUnsent1763900000020 implements MigrationInterface {
  readonly transaction = false;

  async up(queryRunner: QueryRunner): Promise<void> {
    const [column] = await ask<{ nullable: boolean; hasDefault: boolean }>(
      queryRunner,
      `SELECT NOT attnotnull AS nullable, atthasdef AS "hasDefault"
         FROM pg_attribute WHERE attrelid = 'messages'::regclass AND attname = 'sent_status'`,
    );
    if (column?.hasDefault === false) {
      await queryRunner.query(`ALTER TABLE messages ALTER COLUMN sent_status SET DEFAULT FALSE`);
    }
    if (column?.nullable !== true) return;
    await queryRunner.query(`ALTER TABLE messages DROP CONSTRAINT IF EXISTS messages_sent_status_known`);
    await queryRunner.query(`
      ALTER TABLE messages ADD CONSTRAINT messages_sent_status_known CHECK (sent_status IS NOT NULL) NOT VALID`);
    await setNullsToFalse(queryRunner);
    await queryRunner.query(`ALTER TABLE messages VALIDATE CONSTRAINT messages_sent_status_known`);
    await queryRunner.query(`ALTER TABLE messages ALTER COLUMN sent_status SET NOT NULL`);
    await queryRunner.query(`ALTER TABLE messages DROP CONSTRAINT messages_sent_status_known`);
  }

  /** Leaves the column as it is: it is what the table must have had. */
  async down(): Promise<void> {}
}

async function setNullsToFalse(queryRunner: QueryRunner): Promise<void> {
  let after: string | null = '-9223372036854775808';
  while (after !== null) {
    const batches: { last: string | null }[] = await ask(
      queryRunner,
      `WITH batch AS (
         SELECT id FROM messages WHERE id > $1::bigint AND sent_status IS NULL ORDER BY id LIMIT ${ROWS_AT_ONCE} FOR UPDATE
       ), changed AS (
         UPDATE messages SET sent_status = FALSE WHERE id IN (SELECT id FROM batch) AND sent_status IS NULL
       )
       SELECT max(id)::text AS last FROM batch`,
      [after],
    );
    after = batches[0]?.last ?? null;
  }
}
