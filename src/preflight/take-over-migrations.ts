import { MIGRATIONS_TABLE } from './table-contract.js';
import type { Ask } from './look-at-database.js';

/**
 * Earlier versions noted their migrations in `migrations`, a name that other tools use as well: moves the service's own rows
 * to the table that is the service's alone. Changes nothing where that table is there.
 */
export async function takeOverMigrations(ask: Ask, ownNames: readonly string[]): Promise<void> {
  const [found] = await ask<{ old: boolean; own: boolean }>(
    `SELECT to_regclass(format('%I.%I', current_schema(), $1::text)) IS NOT NULL AS own,
       (SELECT count(*) = 3 FROM pg_attribute
         WHERE attrelid = to_regclass(format('%I.migrations', current_schema())) AND attname IN ('id', 'timestamp', 'name')) AS old`,
    [MIGRATIONS_TABLE],
  );
  if (found === undefined || found.own || !found.old) return;
  const [ours] = await ask<{ some: boolean }>(`SELECT EXISTS (SELECT FROM migrations WHERE name = ANY ($1)) AS some`, [
    ownNames,
  ]);
  if (ours?.some !== true) return;
  await ask('BEGIN');
  await ask(
    `CREATE TABLE ${MIGRATIONS_TABLE} (id SERIAL PRIMARY KEY, "timestamp" BIGINT NOT NULL, name VARCHAR NOT NULL)`,
  );
  await ask(
    `WITH moved AS (DELETE FROM migrations WHERE name = ANY ($1) RETURNING id, "timestamp", name)
     INSERT INTO ${MIGRATIONS_TABLE} ("timestamp", name) SELECT "timestamp", name FROM moved ORDER BY id`,
    [ownNames],
  );
  await ask('COMMIT');
}
