import type { MigrationInterface, QueryRunner } from 'typeorm';
import { buildIndex, MESSAGE_INDEXES } from './message-indexes.js';

const NEW_INDEXES = ['idx_messages_parked_at', 'idx_messages_sent_untimed'] as const;

/**
 * What leads to the oldest parked messages, and to those that were marked by hand without a time. A message that is only sent
 * has no entry in either index.
 *
 * Locks: none that a reader or a writer waits for. It can be repeated where it was broken off.
 */
export class IndexWhatRetentionReads1763900000026 implements MigrationInterface {
  readonly transaction = false;

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const name of NEW_INDEXES) await buildIndex(queryRunner, name, MESSAGE_INDEXES[name] ?? '');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP INDEX IF EXISTS ${NEW_INDEXES.join(', ')}`);
  }
}
