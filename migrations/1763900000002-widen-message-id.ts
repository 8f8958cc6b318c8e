import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ask } from './ask.js';

/** A table with more rows keeps an INTEGER id until somebody asks for the rewrite: `npm run migrate -- --widen-id`. */
export const MAX_ROWS_TO_REWRITE_UNASKED = 1_000_000;

/** About how many rows `messages` has, without a look at them: from the statistics, or from its size where there are none. */
export const ESTIMATED_ROWS = `
  (SELECT CASE WHEN reltuples >= 0 AND relpages > 0
      THEN reltuples / relpages * (pg_relation_size(oid) / current_setting('block_size')::int)
      ELSE pg_relation_size(oid) / 80 END::float8
    FROM pg_class WHERE oid = to_regclass('messages'))`;

/** Makes `id` a BIGINT. Locks: ACCESS EXCLUSIVE while the table is rewritten, about a second per million rows. */
export const WIDEN_ID = `
  DECLARE sequence TEXT := pg_get_serial_sequence('messages', 'id');
  BEGIN
    ALTER TABLE messages ALTER COLUMN id TYPE BIGINT;
    IF sequence IS NOT NULL THEN
      EXECUTE format('ALTER SEQUENCE %s AS BIGINT', sequence);
    END IF;
  END`;

/**
 * At 20,000 messages a second an INTEGER id is used up in thirty hours. The rewrite is the only one that an adopted table
 * goes through, and leaves room on its pages for the claims to come (see the next migration). A table that is large, that
 * others inherit from, or whose `id` something of the company's depends on, keeps its INTEGER, which works as well.
 */
export class WidenMessageId1763900000002 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE messages SET (fillfactor = 45)`);
    const [table] = await ask<{ rewrite: boolean }>(
      queryRunner,
      `SELECT ${ESTIMATED_ROWS} <= $1 AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'messages'::regclass)
         AND (SELECT atttypid <> 'bigint'::regtype FROM pg_attribute
               WHERE attrelid = 'messages'::regclass AND attname = 'id') AS rewrite`,
      [MAX_ROWS_TO_REWRITE_UNASKED],
    );
    if (table?.rewrite !== true) return;
    // What depends on the column makes PostgreSQL refuse the change of its type.
    await queryRunner.query(`
      DO $$ BEGIN
        ${WIDEN_ID};
      EXCEPTION WHEN feature_not_supported OR dependent_objects_still_exist THEN NULL;
      END $$`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`ALTER TABLE messages ALTER COLUMN id TYPE INTEGER`);
    await queryRunner.query(`ALTER TABLE messages RESET (fillfactor)`);
  }
}
