import type { DatabaseFacts } from './database-facts.js';
import { lookAtContent } from './look-at-content.js';
import { lookAtNames, lookAtOtherSchemas } from './look-at-names.js';
import { lookAtTable } from './look-at-table.js';
import { missingRights } from './missing-rights.js';
import { ADOPTING_MIGRATION, MIGRATIONS_TABLE } from './table-contract.js';

/** Runs one statement and returns its rows. */
export type Ask = <Row extends object>(statement: string, values?: readonly unknown[]) => Promise<Row[]>;

/** Looks at the database as this role sees it, and changes nothing. Reads rows only of a table that is not adopted yet. */
export async function lookAtDatabase(ask: Ask): Promise<DatabaseFacts> {
  const [session] = await ask<SessionRow>(SESSION);
  if (session === undefined) throw new Error('PostgreSQL did not say who is connected');
  const table = await lookAtTable(ask);
  // Where the service's tables are; a migration sees to it that they are beside messages.
  const schema = table?.schema ?? session.schema;
  const applied = await appliedMigrations(ask, schema);
  const adopted = applied === null || applied.includes(ADOPTING_MIGRATION);
  return {
    ...session,
    applied,
    table,
    content: table?.kind !== 'table' || adopted ? null : await lookAtContent(ask, table),
    elsewhere: await ask(ELSEWHERE, [MIGRATIONS_TABLE]),
    names: await lookAtNames(ask, schema),
    otherTables: await lookAtOtherSchemas(ask, schema),
    limits: await ask(LIMITS),
    missingRights: table === null ? [] : await missingRights(ask, table),
  };
}

type SessionRow = Pick<
  DatabaseFacts,
  'database' | 'role' | 'schema' | 'searchPath' | 'encoding' | 'mayCreate' | 'mayMakeTemporaryTables' | 'ownSearchPath'
>;

const SESSION = `
  SELECT quote_ident(current_database()) AS database, quote_ident(current_user) AS role,
    quote_ident(current_schema()) AS schema, current_schemas(FALSE)::text[] AS "searchPath",
    current_setting('server_encoding') AS encoding,
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), FALSE) AS "mayCreate",
    has_database_privilege(current_database(), 'TEMPORARY') AS "mayMakeTemporaryTables",
    (SELECT source IN ('user', 'database user', 'client') FROM pg_settings WHERE name = 'search_path') AS "ownSearchPath"`;

/** What the role, the database or the server set for new sessions, whatever this session has set since. */
const LIMITS = `
  SELECT name, reset_val || coalesce(unit, '') AS value FROM pg_settings
  WHERE name IN ('statement_timeout', 'transaction_timeout', 'idle_session_timeout', 'default_transaction_read_only')
    AND reset_val NOT IN ('0', 'off')
  ORDER BY 1`;

/** Tables that look like the seed's. An installation keeps its migrations beside its table. */
const ELSEWHERE = `
  SELECT format('%I.%I', nspname, relname) AS name,
    EXISTS (SELECT FROM pg_class own WHERE own.relnamespace = found.relnamespace AND own.relname = $1) AS taken
  FROM pg_class found JOIN pg_namespace schema ON schema.oid = found.relnamespace
  WHERE relname = 'messages' AND relkind IN ('r', 'p', 'f', 'v', 'm') AND nspname NOT LIKE 'pg\\_%'
    AND nspname <> 'information_schema' AND found.oid IS DISTINCT FROM to_regclass('messages')
    AND (SELECT count(*) FROM pg_attribute
          WHERE attrelid = found.oid AND NOT attisdropped AND attname IN ('recipient_phone', 'content')) = 2
  ORDER BY 1`;

/** null: this role may not read them. An earlier version kept them in `migrations`, which other tools use as well. */
async function appliedMigrations(ask: Ask, schema: string | null): Promise<string[] | null> {
  const [place] = await ask<{ name: string | null; readable: boolean }>(
    `SELECT name::text, coalesce(has_table_privilege(name, 'SELECT'), TRUE) AS readable
       FROM (SELECT attrelid::regclass AS name
               FROM unnest($1::text[]) WITH ORDINALITY AS known(name, place)
                 JOIN pg_attribute ON attrelid = to_regclass(format('%s.%I', $2::text, known.name))
              WHERE attname IN ('name', 'timestamp')
              GROUP BY attrelid, place HAVING count(*) = 2 ORDER BY place LIMIT 1) AS place`,
    [[MIGRATIONS_TABLE, 'migrations'], schema],
  );
  if (place?.name == null) return [];
  if (!place.readable) return null;
  return (await ask<{ name: string }>(`SELECT name::text FROM ${place.name}`)).map(({ name }) => name);
}
