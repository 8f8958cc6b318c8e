import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ask } from './ask.js';
import { buildIndex, MESSAGE_INDEXES } from './message-indexes.js';

/**
 * The indexes of `messages`. `idx_messages_sendable` serves the claim and is as large as the backlog. `idx_messages_retry`
 * has retries whose pauses end at the same instant by their ids, so that a claim can go on in the midst of them.
 * `idx_messages_pausing` serves lists in the order of ids without a look at what is parked or sent; only a message whose
 * attempt failed pays for it. `idx_messages_parked` leaves out what was parked and marked as sent by hand since, of which
 * there may be any number. `idx_messages_sent` serves the list of sent messages, rows marked by hand without a time last;
 * it is read backwards, so that the newest entries go to the right edge, where PostgreSQL fills pages whole.
 *
 * Locks: none that a reader or a writer waits for. It can be repeated where it was broken off.
 */
export class IndexWhatListsNeed1763900000017 implements MigrationInterface {
  readonly transaction = false;

  async up(queryRunner: QueryRunner): Promise<void> {
    const [seed] = await ask<{ missing: boolean }>(
      queryRunner,
      `SELECT NOT EXISTS (
         SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
          WHERE indrelid = 'messages'::regclass AND relname = 'idx_messages_unsent' AND indisvalid) AS missing`,
    );
    if (seed?.missing === true)
      await buildIndex(queryRunner, 'idx_messages_unsent', 'btree (id) WHERE (sent_status = false)');
    for (const [name, definition] of Object.entries(MESSAGE_INDEXES)) await buildIndex(queryRunner, name, definition);
    await queryRunner.query(`ALTER TABLE messages VALIDATE CONSTRAINT messages_parked_as_check`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP INDEX IF EXISTS ${Object.keys(MESSAGE_INDEXES).join(', ')}`);
  }
}
