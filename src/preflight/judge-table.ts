import type { DatabaseFacts, TableFacts } from './database-facts.js';
import { obstacle, warning, type Finding } from './finding.js';
import { OWN_COLUMNS } from './table-contract.js';

/** What kind of table it is, and what hangs on it. `adopting`: its columns are not the service's yet. */
export function judgeTable(table: TableFacts, adopting: boolean): Finding[] {
  return [
    ...(adopting ? judgeKind(table) : []),
    ...judgeRules(table),
    ...table.triggers.map(({ name, runs }) =>
      warning(
        `The trigger ${name} on ${table.name} runs ${runs}`,
        'Each claim and each outcome of a message calls it: what it refuses is not recorded, and what it takes long for is sent slowly',
      ),
    ),
    ...judgePolicies(table),
    ...(table.unlogged
      ? [warning(`${table.name} is UNLOGGED`, 'A crash of PostgreSQL empties it: ALTER TABLE … SET LOGGED')]
      : []),
  ];
}

function judgeKind({
  name,
  kind,
  isPartition,
  temporary,
  rowTypeColumns,
  children,
  childColumns,
  publications,
}: TableFacts): Finding[] {
  if (kind !== 'table') {
    return [obstacle(`${name} is a ${kind}`, 'It must be an ordinary table; a view may have another name')];
  }
  const found: Finding[] = [];
  if (isPartition) found.push(obstacle(`${name} is a partition`, 'Columns cannot be added to it: detach it'));
  if (temporary)
    found.push(obstacle(`${name} is a temporary table`, 'Other sessions do not see it: make a lasting one'));
  for (const column of rowTypeColumns) {
    found.push(
      obstacle(
        `${column} holds whole rows of ${name}`,
        `No column with a default can be added to ${name} then: make ${column} a JSONB, filled with to_jsonb(…)`,
      ),
    );
  }
  for (const column of childColumns.filter(({ name: own, type }) => !isTaken(own, type))) {
    found.push(
      obstacle(
        `${column.table}.${column.name} (${column.type}) is a column of this table alone, and ${name} and all that inherit from it get one of this name`,
        `ALTER TABLE ${column.table} RENAME COLUMN ${column.name} TO …`,
      ),
    );
  }
  if (children.length > 0) {
    found.push(
      warning(
        `${children.join(', ')} inherit from ${name}`,
        'They get the same new columns, and their unsent rows are sent, except those whose id another of these tables has',
      ),
    );
  }
  if (publications.length > 0) {
    found.push(
      warning(
        `${name} is published by ${publications.join(', ')}`,
        'A subscriber that lacks the new columns stops: add them there first (docs/your-table.md)',
      ),
    );
  }
  return found;
}

/** A time of creation is only read, whoever keeps it. */
function isTaken(column: string, type: string): boolean {
  return OWN_COLUMNS.some(({ name, type: own }) => name === 'created_at' && name === column && own === type);
}

function judgeRules({ name, rules }: TableFacts): Finding[] {
  return rules
    .filter(({ on }) => on === 'UPDATE' || on === 'INSERT')
    .map((rule) =>
      obstacle(
        `The rule ${rule.name} on ${name} changes each ${rule.on}`,
        `PostgreSQL refuses the service's statements then: make it a trigger, and DROP RULE ${rule.name} ON ${name}`,
      ),
    );
}

function judgePolicies({ name, rowSecurity, policies, hidesFromUpdate }: TableFacts): Finding[] {
  if (!rowSecurity) return [];
  const by = policies.length === 0 ? 'without any policy' : `(${policies.join(', ')})`;
  return [
    warning(
      `Row security on ${name} ${by} applies to this role`,
      'Rows that it hides are never sent, and what it keeps from being written is not recorded: let the role see and change all rows',
    ),
    ...(hidesFromUpdate
      ? [
          warning(
            `The policies of ${name} for UPDATE are others than those for SELECT`,
            'Rows that may be read and not changed are never sent, and count as waiting: let USING (…) of both be the same',
          ),
        ]
      : []),
  ];
}

/** Of an adopted table: the commands name the service's columns. */
export function judgeChildren({ name, unindexedChildren }: TableFacts): Finding[] {
  return unindexedChildren.map((child) =>
    warning(
      `${child.name} inherits from ${name} and lacks ${child.commands.length} of the indexes that the service reads by`,
      `Each look and each claim reads all of it: ${child.commands.join('; ')}`,
    ),
  );
}

/** Which table the name `messages` leads to. */
export function judgePlace({ table, schema, searchPath, elsewhere, role, mayCreate }: DatabaseFacts): Finding[] {
  if (schema === null) {
    return [
      obstacle(
        `No schema of the search path of ${role} (${searchPath.join(', ') || 'empty'}) exists or may be used`,
        `Name one: ALTER ROLE ${role} SET search_path = …`,
      ),
    ];
  }
  const found: Finding[] = [];
  if (!mayCreate) {
    found.push(
      obstacle(
        `${role} may not create tables in the schema ${schema}`,
        `GRANT CREATE, USAGE ON SCHEMA ${schema} TO ${role}`,
      ),
    );
  }
  if (table !== null && table.schema !== schema && !table.temporary) {
    found.push(
      obstacle(
        `messages is ${table.name}, but the service's own tables would be made in the schema ${schema}, the first of the search path`,
        `Let it be first: ALTER ROLE ${role} SET search_path = ${table.schema}`,
      ),
    );
  }
  const free = elsewhere.filter(({ taken }) => !taken).map(({ name }) => name);
  if (table === null && free.length > 0) {
    found.push(
      obstacle(
        `${free.join(' and ')} is there, but the search path of ${role} (${searchPath.join(', ')}) does not lead to it, and an empty ${schema}.messages would be made`,
        `ALTER ROLE ${role} SET search_path = ${free[0]?.replace(/\.messages$/, '')}, or make ${schema}.messages yourself if another table is meant (docs/your-table.md)`,
      ),
    );
  }
  return found;
}
