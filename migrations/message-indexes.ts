import type { QueryRunner } from 'typeorm';
import { ask } from './ask.js';

/** The indexes of `messages` that are the service's own, each as PostgreSQL shows it after `USING`. */
export const MESSAGE_INDEXES: Readonly<Record<string, string>> = {
  idx_messages_sendable:
    'btree (id) WHERE ((sent_status = false) AND (parked_as IS NULL) AND (next_attempt_at IS NULL))',
  idx_messages_retry:
    'btree (next_attempt_at, id) WHERE ((sent_status = false) AND (parked_as IS NULL) AND (next_attempt_at IS NOT NULL))',
  idx_messages_pausing:
    'btree (id) WHERE ((sent_status = false) AND (parked_as IS NULL) AND (next_attempt_at IS NOT NULL))',
  idx_messages_parked: 'btree (parked_as, id) WHERE ((parked_as IS NOT NULL) AND (sent_status = false))',
  idx_messages_parked_at:
    "btree (COALESCE(parked_at, created_at), id) WHERE ((parked_as = ANY (ARRAY['failed'::text, 'cancelled'::text])) AND (sent_status = false))",
  idx_messages_sent_untimed: 'btree (created_at, id) WHERE ((sent_status = true) AND (sent_at IS NULL))',
  idx_messages_sent:
    "btree (COALESCE(sent_at, '-infinity'::timestamp without time zone), id) WHERE (sent_status = true)",
};

/**
 * Builds an index of `messages` unless it is there as it should be; one that is invalid or another is dropped first.
 * On a table that has rows neither readers nor writers wait for it. Not for a transaction.
 */
export async function buildIndex(queryRunner: QueryRunner, name: string, definition: string): Promise<void> {
  const [found] = await ask<{ valid: boolean; definition: string; qualified: string }>(
    queryRunner,
    `SELECT indisvalid AS valid, split_part(pg_get_indexdef(indexrelid), ' USING ', 2) AS definition,
            indexrelid::regclass::text AS qualified
       FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
      WHERE indrelid = 'messages'::regclass AND relname = $1`,
    [name],
  );
  if (found !== undefined) {
    if (found.valid && found.definition === definition) return;
    await queryRunner.query(`DROP INDEX CONCURRENTLY ${found.qualified}`);
  }
  const [empty] = await ask<{ yes: boolean }>(queryRunner, `SELECT NOT EXISTS (SELECT FROM messages) AS yes`);
  if (empty?.yes === true) {
    await queryRunner.query(`CREATE INDEX ${name} ON messages USING ${definition}`);
    return;
  }
  // It waits for transactions that are older than itself, and nobody waits for it meanwhile.
  const [limit] = await ask<{ lock_timeout: string }>(queryRunner, 'SHOW lock_timeout');
  await queryRunner.query('SET lock_timeout = 0');
  try {
    await queryRunner.query(`CREATE INDEX CONCURRENTLY ${name} ON messages USING ${definition}`);
  } finally {
    await queryRunner.query(`SELECT set_config('lock_timeout', $1, FALSE)`, [limit?.lock_timeout ?? '0']);
  }
}
