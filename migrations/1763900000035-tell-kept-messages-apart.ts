import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What is kept in `unwritten_outcomes` is of one message and not of its id, which another message has after a TRUNCATE, a restore
 * or an edit. NULL: the hash cannot be told, as in entries of a version before this one; such an entry is of whichever message
 * has the id.
 *
 * `dispatcher_message_hash` is `messageHash` of `idempotency-key.ts`, which hashes the text as UTF-8 whatever the encoding of the
 * database. It returns NULL for text that has no form in UTF-8, which the service cannot read either.
 *
 * Locks: `unwritten_outcomes`, for an instant.
 */
export class TellKeptMessagesApart1763900000035 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE OR REPLACE FUNCTION dispatcher_message_hash(recipient_phone TEXT, content TEXT, created_at TEXT)
        RETURNS TEXT LANGUAGE plpgsql STABLE AS $$
      BEGIN
        RETURN left(encode(sha256(convert_to(coalesce(recipient_phone, ''), 'UTF8') || '\\x00'::bytea
          || convert_to(coalesce(content, ''), 'UTF8') || '\\x00'::bytea || convert_to(coalesce(created_at, ''), 'UTF8')), 'hex'), 10);
      EXCEPTION WHEN OTHERS THEN
        RETURN NULL;
      END $$`);
    // Every claim names it, and PostgreSQL asks for the right before it looks whether the function is called at all.
    await queryRunner.query(`GRANT EXECUTE ON FUNCTION dispatcher_message_hash(TEXT, TEXT, TEXT) TO PUBLIC`);
    await queryRunner.query(`ALTER TABLE unwritten_outcomes ADD COLUMN message_hash TEXT`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE unwritten_outcomes DROP COLUMN message_hash`);
    await queryRunner.query(`DROP FUNCTION dispatcher_message_hash(TEXT, TEXT, TEXT)`);
  }
}
