import type { DatabaseFacts, TableFacts } from './database-facts.js';
import type { Ask } from './look-at-database.js';
import { MIGRATIONS_TABLE, OWN_TABLES } from './table-contract.js';

type Missing = DatabaseFacts['missingRights'];

const READ_AND_WRITE = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];

/** Rights that the service needs while it runs and that this role lacks, on what is there of its tables and sequences. */
export async function missingRights(ask: Ask, table: TableFacts): Promise<Missing> {
  const beside = (name: string) => `${table.schema}.${name}`;
  const needed = [
    { on: table.name, rights: ['SELECT', 'INSERT', 'UPDATE'] },
    { on: beside(MIGRATIONS_TABLE), rights: ['SELECT'] },
    ...Object.keys(OWN_TABLES).map((name) => ({ on: beside(name), rights: READ_AND_WRITE })),
  ];
  const onTables = await ask<{ on: string; rights: string[] }>(
    // Rights on the columns that are written do as well.
    `SELECT to_regclass(needed.name)::text AS on, array_agg(wanted ORDER BY place) AS rights
     FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS needed(name, wanted, place)
     WHERE to_regclass(needed.name) IS NOT NULL
       AND NOT CASE WHEN wanted = 'DELETE' THEN has_table_privilege(to_regclass(needed.name), wanted)
         ELSE has_any_column_privilege(to_regclass(needed.name), wanted) END
     GROUP BY 1 ORDER BY min(place)`,
    [needed.flatMap(({ on, rights }) => rights.map(() => on)), needed.flatMap(({ rights }) => rights)],
  );
  const [schema] = await ask<{ usable: boolean }>(
    `SELECT has_schema_privilege(to_regnamespace($1), 'USAGE') AS usable`,
    [table.schema],
  );
  return [
    ...(schema?.usable === false ? [{ on: `SCHEMA ${table.schema}`, rights: ['USAGE'] }] : []),
    ...onTables,
    ...(await ask<{ on: string; rights: string[] }>(SEQUENCES)),
  ];
}

/** Sequences that give out values of `messages`; that of an identity column needs no right. */
const SEQUENCES = `
  SELECT format('SEQUENCE %s', sequence.oid::regclass) AS on, ARRAY['USAGE'] AS rights
  FROM pg_attrdef
    JOIN pg_depend ON pg_depend.classid = 'pg_attrdef'::regclass AND pg_depend.objid = pg_attrdef.oid
    JOIN pg_class sequence ON sequence.oid = pg_depend.refobjid
  WHERE adrelid = to_regclass('messages') AND CASE sequence.relkind WHEN 'S' THEN NOT has_sequence_privilege(sequence.oid, 'USAGE') END
  ORDER BY 1`;
