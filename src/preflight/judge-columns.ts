import type { ColumnFacts, DatabaseFacts, TableFacts } from './database-facts.js';
import { obstacle, warning, type Finding } from './finding.js';
import { OWN_COLUMNS, REQUIRED_COLUMNS } from './table-contract.js';

/** The columns that a table must have, and those of the service's names that it has already. */
export function judgeColumns(facts: DatabaseFacts, table: TableFacts): Finding[] {
  const found = new Map(table.columns.map((column) => [column.name, column]));
  return [
    ...REQUIRED_COLUMNS.flatMap((needed) => judgeRequired(table, needed, found.get(needed.name))),
    ...OWN_COLUMNS.flatMap(({ name, type }) => judgeOwn(facts, table, type, found.get(name))),
    ...judgeOthers(table),
  ];
}

function judgeRequired(
  { name: table, idIsUnique }: TableFacts,
  { name, needed, takes }: (typeof REQUIRED_COLUMNS)[number],
  column: ColumnFacts | undefined,
): Finding[] {
  if (column === undefined) {
    return [obstacle(`${table} has no column ${name}`, `Add it as ${needed}: docs/your-table.md has the whole table`)];
  }
  const where = `${table}.${name}`;
  if (!takes(column))
    return [obstacle(`${where} is ${column.type} and must be ${needed}`, cureOf(table, column, needed))];
  const found: Finding[] = [];
  if (column.generated) found.push(obstacle(`${where} is generated`, 'The service writes it: make it a plain column'));
  if (name === 'id' && !idIsUnique) {
    found.push(obstacle(`${where} is not unique`, `Add a key: ALTER TABLE ${table} ADD PRIMARY KEY (id)`));
  }
  if (name !== 'sent_at' && name !== 'sent_status' && column.nullable) {
    found.push(
      obstacle(
        `${where} may be NULL`,
        `Correct such rows, then ALTER TABLE ${table} ALTER COLUMN ${name} SET NOT NULL`,
      ),
    );
  }
  if (name === 'sent_status' && column.default?.startsWith('true') === true) {
    found.push(warning(`${where} has the default TRUE`, 'A message that is inserted without it counts as sent'));
  }
  return found;
}

function cureOf(table: string, column: ColumnFacts, needed: string): string {
  const alter = `ALTER TABLE ${table} ALTER COLUMN ${column.name}`;
  if (column.base === 'timestamp with time zone') {
    return `It holds UTC: ${alter} TYPE timestamp USING sent_at AT TIME ZONE 'UTC', and let who reads it know`;
  }
  if (column.base === 'smallint') return `${alter} TYPE bigint`;
  if (column.name === 'id') return `Give the table such a key, under the name id`;
  return `Convert it, for example ${alter} TYPE ${needed.split(/,? /)[0]?.toLowerCase()} USING …`;
}

function judgeOwn(
  { content }: DatabaseFacts,
  { name: table }: TableFacts,
  type: string,
  column: ColumnFacts | undefined,
): Finding[] {
  if (column === undefined) return [];
  const rename = `ALTER TABLE ${table} RENAME COLUMN ${column.name} TO …`;
  const where = `${table}.${column.name}`;
  if (column.base !== type) {
    return [
      obstacle(`${where} is ${column.type}, and the service keeps ${type.toUpperCase()} under this name`, rename),
    ];
  }
  if (column.generated) return [obstacle(`${where} is generated, and the service writes it`, rename)];
  if (content?.usedColumns.includes(column.name) === true) {
    return [obstacle(`${where} holds values of yours, and the service would overwrite them`, rename)];
  }
  if (column.name === 'created_at') return [];
  return column.nullable || column.fills
    ? []
    : [obstacle(`${where} must have a value, and the service may leave it empty`, rename)];
}

/** A company's own column that the service does not fill. */
function judgeOthers({ name: table, columns }: TableFacts): Finding[] {
  const known = new Set<string>([...REQUIRED_COLUMNS, ...OWN_COLUMNS].map(({ name }) => name));
  const unfilled = columns.filter(
    ({ name, nullable, fills, generated }) => !nullable && !fills && !generated && (!known.has(name) || name === 'id'),
  );
  return unfilled.map(({ name }) =>
    warning(
      `${table}.${name} must have a value and has no default`,
      'Rows that your own SQL inserts are sent; POST /messages and imports are refused until it has a default',
    ),
  );
}
