import { MESSAGE_INDEXES } from '../../migrations/message-indexes.js';
import type { DatabaseFacts, NameFacts, TableFacts } from './database-facts.js';
import { obstacle, warning, type Finding } from './finding.js';
import { isRestored } from './is-restored.js';
import { OWN_ARGUMENTS, OWN_CHECKS, OWN_NAMES } from './own-names.js';

const NEEDED_FOR = {
  table: 'a table of its own',
  index: 'an index of its own',
  function: 'a function of its own',
  check: 'a check of its own',
} as const;

/** Names that a migration is going to give, and that somebody else's objects have. */
export function judgeNames(facts: DatabaseFacts): Finding[] {
  const { applied, names, table } = facts;
  if (applied === null) return [];
  const taken = OWN_NAMES.filter(({ madeBy }) => !applied.includes(madeBy)).flatMap(({ name, kind }) =>
    names
      .filter((found) => found.name === name && kindsOf(found).includes(kind) && !isOwn(found, kind, table))
      .map((found) => obstacle(textOf(found, kind), cureOf(found, kind))),
  );
  return [...new Map(taken.map((finding) => [finding.text, finding])).values(), ...judgeShadows(facts)];
}

/** Tables of the service that its own statements would not find. */
export function judgeHiddenTables({ otherTables, role, table }: DatabaseFacts): Finding[] {
  return otherTables
    .filter(({ hides }) => hides)
    .map(({ name, found }) =>
      obstacle(
        `${name} leads to ${found}, which hides the table ${name} of the service's own`,
        `ALTER ROLE ${role} SET search_path = ${table?.schema}`,
      ),
    );
}

function kindsOf({ kind }: NameFacts): readonly string[] {
  switch (kind) {
    case 'FUNCTION':
    case 'PROCEDURE':
    case 'AGGREGATE':
      return ['function'];
    case 'CONSTRAINT':
      return ['check'];
    case 'DOMAIN':
      return ['table'];
    default:
      return ['table', 'index'];
  }
}

/** What a migration builds anew, or finds as it makes it: left by one that was broken off, or restored with the table. */
function isOwn({ name, onMessages, definition }: NameFacts, kind: string, table: TableFacts | null): boolean {
  switch (kind) {
    case 'index':
      return (
        onMessages &&
        (name === 'idx_messages_unsent' ||
          definition === MESSAGE_INDEXES[name] ||
          (name in MESSAGE_INDEXES && table !== null && isRestored(table)))
      );
    case 'function':
      return OWN_ARGUMENTS.includes(definition);
    case 'check':
      return OWN_CHECKS[name] === definition;
    default:
      return false;
  }
}

function textOf({ kind, object, table, definition }: NameFacts, needed: keyof typeof NEEDED_FOR): string {
  const place = table === null ? '' : ` of ${table} (${definition})`;
  return `The ${kind.toLowerCase()} ${object}${place} is there, and the service needs the name for ${NEEDED_FOR[needed]}`;
}

function cureOf({ kind, object, table }: NameFacts, needed: keyof typeof NEEDED_FOR): string {
  if (kind === 'CONSTRAINT') return `ALTER TABLE ${table} RENAME CONSTRAINT ${object} TO …`;
  const rename = `ALTER ${kind} ${object} RENAME TO …`;
  return needed === 'table' ? `${rename}, or let messages be in another schema than it` : rename;
}

/**
 * A table of the service's in the first schema of a search path hides one of the same name in a later schema from everybody
 * with that path. Where the path was set for the service's role alone, nobody else is concerned.
 */
function judgeShadows({ otherTables, ownSearchPath, applied, role, schema }: DatabaseFacts): Finding[] {
  const pending = new Set(OWN_NAMES.filter(({ madeBy }) => applied?.includes(madeBy) !== true).map(({ name }) => name));
  return otherTables
    .filter(({ name, hides }) => !hides && pending.has(name))
    .map(({ name, found }) => {
      const text = `A table ${schema}.${name} would be made, which hides ${found} from whoever has this search path`;
      return ownSearchPath
        ? warning(text, `Only sessions of ${role} have it: let no program of yours that uses ${found} be among them`)
        : obstacle(text, `Give the service a role with a path of its own: ALTER ROLE … SET search_path = ${schema}`);
    });
}
