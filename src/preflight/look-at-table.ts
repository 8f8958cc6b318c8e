import { MESSAGE_INDEXES } from '../../migrations/message-indexes.js';
import { ESTIMATED_ROWS } from '../../migrations/1763900000002-widen-message-id.js';
import type { ColumnFacts, TableFacts, TriggerFacts } from './database-facts.js';
import type { Ask } from './look-at-database.js';
import { OWN_COLUMNS } from './table-contract.js';

/** Looks up in the catalogue what `messages` is and what hangs on it; null: the search path finds none. */
export async function lookAtTable(ask: Ask): Promise<TableFacts | null> {
  const [relation] = await ask<Relation>(RELATION);
  if (relation === undefined) return null;
  const named = async (statement: string) => (await ask<{ name: string }>(statement)).map(({ name }) => name);
  return {
    ...relation,
    children: await named(CHILDREN),
    unindexedChildren: await ask(UNINDEXED_CHILDREN, [Object.values(MESSAGE_INDEXES)]),
    childColumns: await ask(CHILD_COLUMNS, [OWN_COLUMNS.map(({ name }) => name)]),
    policies: await named(POLICIES),
    columns: await ask<ColumnFacts>(COLUMNS),
    rules: await ask<{ name: string; on: string }>(RULES),
    triggers: await ask<TriggerFacts>(TRIGGERS),
    publications: await named(PUBLICATIONS),
    dependOnId: await named(DEPEND_ON_ID),
    rowTypeColumns: await named(ROW_TYPE_COLUMNS),
  };
}

type Relation = Omit<
  TableFacts,
  | 'children'
  | 'unindexedChildren'
  | 'childColumns'
  | 'policies'
  | 'columns'
  | 'rules'
  | 'triggers'
  | 'publications'
  | 'dependOnId'
  | 'rowTypeColumns'
>;

const MESSAGES = `to_regclass('messages')`;

const RELATION = `
  SELECT format('%I.%I', nspname, relname) AS name, quote_ident(nspname) AS schema,
    CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
      WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'something else' END AS kind,
    relpersistence = 't' AS temporary, relpersistence = 'u' AS unlogged, relispartition AS "isPartition",
    quote_ident(pg_get_userbyid(relowner)) AS owner, pg_has_role(relowner, 'USAGE') AS owned,
    row_security_active(pg_class.oid) AS "rowSecurity",
    row_security_active(pg_class.oid) AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid)
      AND (EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polcmd = 'w')
        OR NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polcmd = '*')) AS "hidesFromUpdate", ${ESTIMATED_ROWS} AS "estimatedRows",
    EXISTS (SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
      WHERE indrelid = pg_class.oid AND attname = 'id' AND indisunique AND indisvalid AND indnkeyatts = 1
        AND indpred IS NULL) AS "idIsUnique"
  FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = ${MESSAGES}`;

const COLUMNS = `
  SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type,
    format_type(coalesce(nullif(typbasetype, 0), pg_type.oid), NULL) AS base, typcategory::text AS category,
    NOT attnotnull AS nullable, attgenerated <> '' AS generated,
    atthasdef OR attidentity <> '' OR typdefault IS NOT NULL AS fills,
    pg_get_expr(adbin, adrelid) AS default
  FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  WHERE attrelid = ${MESSAGES} AND attnum > 0 AND NOT attisdropped ORDER BY attnum`;

const CHILDREN = `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = ${MESSAGES} ORDER BY 1`;

/** At any depth. */
const HEIRS = `
  WITH RECURSIVE child AS (
    SELECT inhrelid AS oid FROM pg_inherits WHERE inhparent = ${MESSAGES}
    UNION
    SELECT inhrelid FROM pg_inherits JOIN child ON inhparent = child.oid
  )`;

const CHILD_COLUMNS = `${HEIRS}
  SELECT attrelid::regclass::text AS table, attname::text AS name, format_type(atttypid, NULL) AS type
  FROM child JOIN pg_attribute ON attrelid = child.oid
  WHERE attname = ANY ($1) AND NOT attisdropped AND attinhcount = 0 ORDER BY 1, 2`;

/** `$1` the definitions of the indexes. An index of any name does. */
const UNINDEXED_CHILDREN = `${HEIRS}, needed AS (
    SELECT definition, FALSE AS is_key FROM unnest($1::text[]) AS definition UNION ALL SELECT 'btree (id)', TRUE
  )
  SELECT child.oid::regclass::text AS name,
    json_agg(format('CREATE INDEX CONCURRENTLY ON %s USING %s', child.oid::regclass, definition) ORDER BY definition) AS commands
  FROM child JOIN pg_class ON pg_class.oid = child.oid AND relkind = 'r', needed
  WHERE NOT EXISTS (SELECT FROM pg_index WHERE indrelid = child.oid AND indisvalid
    AND (split_part(pg_get_indexdef(indexrelid), ' USING ', 2) = definition
      OR is_key AND indpred IS NULL AND indnatts >= 1
        AND indkey[0] = (SELECT attnum FROM pg_attribute WHERE attrelid = child.oid AND attname = 'id')))
  GROUP BY child.oid ORDER BY 1`;

const POLICIES = `SELECT quote_ident(polname) AS name FROM pg_policy WHERE polrelid = ${MESSAGES} ORDER BY 1`;

const RULES = `
  SELECT quote_ident(rulename) AS name,
    CASE ev_type WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT' WHEN '4' THEN 'DELETE' ELSE 'SELECT' END AS on
  FROM pg_rewrite WHERE ev_class = ${MESSAGES} AND rulename <> '_RETURN' AND ev_enabled <> 'D' ORDER BY 1`;

/** Those that an INSERT or an UPDATE calls: bits 4 and 16 of the type. */
const TRIGGERS = `
  SELECT quote_ident(tgname) AS name, tgfoid::regprocedure::text AS runs
  FROM pg_trigger
  WHERE tgrelid = ${MESSAGES} AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 20 <> 0 ORDER BY 1`;

const PUBLICATIONS = `
  SELECT DISTINCT quote_ident(pubname) AS name FROM pg_publication_tables
    JOIN pg_class ON relname = tablename JOIN pg_namespace ON pg_namespace.oid = relnamespace AND nspname = schemaname
  WHERE pg_class.oid = ${MESSAGES} ORDER BY 1`;

/** Default, indexes and foreign keys of the column follow it by themselves. */
const DEPEND_ON_ID = `
  SELECT DISTINCT CASE WHEN classid = 'pg_rewrite'::regclass
      THEN (SELECT pg_describe_object('pg_class'::regclass, ev_class, 0) FROM pg_rewrite WHERE oid = objid)
      ELSE pg_describe_object(classid, objid, objsubid) END AS name
  FROM pg_depend JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
  WHERE refclassid = 'pg_class'::regclass AND refobjid = ${MESSAGES} AND attname = 'id'
    AND (classid IN ('pg_rewrite'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_proc'::regclass,
                     'pg_publication_rel'::regclass)
      OR classid = 'pg_attrdef'::regclass AND EXISTS (
        SELECT FROM pg_attrdef JOIN pg_attribute own ON own.attrelid = adrelid AND own.attnum = adnum
        WHERE pg_attrdef.oid = objid AND own.attgenerated <> '')
      OR classid = 'pg_class'::regclass AND EXISTS (
        SELECT FROM pg_attribute own WHERE own.attrelid = objid AND own.attnum = objsubid AND own.attgenerated <> ''))
  ORDER BY 1`;

const ROW_TYPE_COLUMNS = `
  SELECT format('%s.%I', user_table.oid::regclass, attname) AS name
  FROM pg_class own JOIN pg_type row ON row.oid = own.reltype
    JOIN pg_attribute ON atttypid IN (row.oid, row.typarray) AND NOT attisdropped
    JOIN pg_class user_table ON user_table.oid = attrelid AND user_table.relkind IN ('r', 'm', 'p')
  WHERE own.oid = ${MESSAGES} ORDER BY 1`;
