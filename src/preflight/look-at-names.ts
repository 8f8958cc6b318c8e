import type { NameFacts } from './database-facts.js';
import type { Ask } from './look-at-database.js';
import { OWN_NAMES, type OwnKind } from './own-names.js';
import { MIGRATIONS_TABLE, OWN_TABLES } from './table-contract.js';

/** What has a name of the service's in the schema where its objects are, or are going to be. `schema`: as SQL writes it. */
export async function lookAtNames(ask: Ask, schema: string | null): Promise<NameFacts[]> {
  return await ask<NameFacts>(NAMES, [
    schema,
    namesOf('table', 'index'),
    namesOf('table'),
    namesOf('function'),
    namesOf('check'),
  ]);
}

function namesOf(...kinds: readonly OwnKind[]): string[] {
  return OWN_NAMES.filter(({ kind }) => kinds.includes(kind)).map(({ name }) => name);
}

/** Tables to which the name of one of the service's leads, in another schema than `schema`. */
export async function lookAtOtherSchemas(ask: Ask, schema: string | null) {
  return await ask<{ name: string; found: string; hides: boolean }>(OTHER_SCHEMAS, [
    schema,
    [MIGRATIONS_TABLE, ...Object.keys(OWN_TABLES)],
  ]);
}

/**
 * `messages` itself is looked at elsewhere, as a table. Of types, the row type of a table and the type of its arrays are left
 * out: PostgreSQL renames the latter when somebody needs its name.
 */
const NAMES = `
  SELECT relname::text AS name, CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
      WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' ELSE 'TABLE' END AS kind,
    format('%s.%I', $1::text, relname) AS object, indrelid::regclass::text AS "table",
    coalesce(indrelid = to_regclass('messages'), FALSE) AS "onMessages",
    coalesce(split_part(pg_get_indexdef(indexrelid), ' USING ', 2), '') AS definition
  FROM pg_class LEFT JOIN pg_index ON indexrelid = pg_class.oid
  WHERE relnamespace = to_regnamespace($1::text) AND relname = ANY ($2)
    AND pg_class.oid IS DISTINCT FROM to_regclass('messages')
    AND NOT (relname = '${MIGRATIONS_TABLE}' AND relkind = 'r' AND (SELECT count(*) FROM pg_attribute
      WHERE attrelid = pg_class.oid AND attname IN ('id', 'timestamp', 'name')) = 3)
  UNION ALL
  SELECT typname, CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, format('%s.%I', $1::text, typname), NULL, FALSE, ''
  FROM pg_type named
  WHERE typnamespace = to_regnamespace($1::text) AND typname = ANY ($3) AND typrelid = 0
    AND NOT EXISTS (SELECT FROM pg_type element WHERE element.typarray = named.oid)
  UNION ALL
  SELECT proname, CASE prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END,
    format('%s.%I(%s)', $1::text, proname, pg_get_function_identity_arguments(oid)), NULL, FALSE,
    (SELECT string_agg(format('%s %s', proargnames[place], format_type(argument, NULL)), ', ' ORDER BY place)
     FROM unnest(proargtypes::oid[]) WITH ORDINALITY AS arguments(argument, place))
  FROM pg_proc WHERE pronamespace = to_regnamespace($1::text) AND proname = ANY ($4)
  UNION ALL
  SELECT conname, 'CONSTRAINT', quote_ident(conname), conrelid::regclass::text, TRUE,
    regexp_replace(pg_get_constraintdef(pg_constraint.oid), '( NO INHERIT)?( NOT VALID)?$', '')
  FROM pg_constraint
  WHERE conname = ANY ($5) AND (conrelid = to_regclass('messages') OR conrelid IN (
    WITH RECURSIVE child AS (
      SELECT inhrelid AS oid FROM pg_inherits WHERE inhparent = to_regclass('messages')
      UNION SELECT inhrelid FROM pg_inherits JOIN child ON inhparent = child.oid)
    SELECT oid FROM child))
  ORDER BY 1, 2, 3`;

/** `hides`: the service's own one is there, and the name does not lead to it. */
const OTHER_SCHEMAS = `
  SELECT relname::text AS name, format('%I.%I', nspname, relname) AS found, own IS NOT NULL AS hides
  FROM unnest($2::text[]) AS name,
    LATERAL (SELECT to_regclass(name)::oid AS met, to_regclass(format('%s.%I', $1::text, name))::oid AS own) AS lookup
    JOIN pg_class ON pg_class.oid = met JOIN pg_namespace ON pg_namespace.oid = relnamespace
  WHERE met IS DISTINCT FROM own ORDER BY 1`;
