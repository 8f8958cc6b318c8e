import { MAX_ROWS_TO_REWRITE_UNASKED } from '../../migrations/1763900000002-widen-message-id.js';
import { MAX_UNSENT_COUNTED, type DatabaseFacts, type TableFacts } from './database-facts.js';
import { obstacle, warning, type Finding } from './finding.js';
import { judgeColumns } from './judge-columns.js';
import { judgeHiddenTables, judgeNames } from './judge-names.js';
import { judgeChildren, judgePlace, judgeTable } from './judge-table.js';
import { ADOPTING_MIGRATION } from './table-contract.js';

/** What is in the way of a migration, and what its operator should know before it. `widenId`: `id` is to become BIGINT. */
export function judgeMigration(facts: DatabaseFacts, widenId = false): Finding[] {
  const { table, applied } = facts;
  const adopting = applied?.includes(ADOPTING_MIGRATION) === false;
  return [
    ...judgePlace(facts),
    ...judgeLimits(facts),
    ...(table === null ? [] : judgeTable(table, adopting)),
    ...(table === null || !adopting || table.kind !== 'table' ? [] : judgeColumns(facts, table)),
    ...(table === null ? [] : judgeOwner(table, facts.role)),
    ...judgeNames(facts),
    ...(table === null ? [] : judgeRewrite(table, adopting, widenId)),
    ...(adopting ? judgeContent(facts) : []),
    ...judgeEncoding(facts),
  ];
}

/** What is in the way of sending while the schema is there, and what is worth a line at each start. */
export function judgeService(facts: DatabaseFacts): Finding[] {
  const { table, role, missingRights } = facts;
  return [
    ...missingRights.map(({ on, rights }) => judgeRight(on, rights, table, role)),
    ...judgeHiddenTables(facts),
    ...(table === null ? [] : [...judgeTable(table, false), ...judgeChildren(table)]),
    ...(facts.mayMakeTemporaryTables
      ? []
      : [
          warning(
            `${role} may not make temporary tables in the database ${facts.database}`,
            `POST /messages/import fails until GRANT TEMPORARY ON DATABASE ${facts.database} TO ${role}`,
          ),
        ]),
    ...judgeEncoding(facts),
  ];
}

/** Not said at each start: the service sets its own limits on its connections. */
function judgeLimits({ limits, role }: DatabaseFacts): Finding[] {
  return limits.map(({ name, value }) =>
    name === 'default_transaction_read_only'
      ? obstacle(
          `${name} is on for ${role}`,
          `ALTER ROLE ${role} SET ${name} = off, if it is not set for the whole server`,
        )
      : warning(
          `${name} is ${value} for ${role}`,
          'The service sets its own limit on its connections, except behind a pooler in transaction mode: leave it at 0 there',
        ),
  );
}

function judgeRight(on: string, rights: readonly string[], table: TableFacts | null, role: string): Finding {
  const text = `${role} lacks ${rights.join(', ')} on ${on}`;
  const cure = `GRANT ${rights.join(', ')} ON ${on} TO ${role}`;
  // Who only inserts by SQL of its own may withhold what POST /messages needs.
  const onlyInserts =
    on.startsWith('SEQUENCE ') || (rights.length === 1 && rights[0] === 'INSERT' && isMessages(on, table));
  return onlyInserts ? warning(text, `POST /messages and imports fail until ${cure}`) : obstacle(text, cure);
}

function isMessages(on: string, table: TableFacts | null): boolean {
  return on === 'messages' || on === table?.name;
}

function judgeOwner({ name, owned, owner }: TableFacts, role: string): Finding[] {
  if (owned) return [];
  return [
    obstacle(
      `${name} belongs to ${owner}, and only its owner may change it`,
      `Run "npm run migrate" as ${owner} and then grant ${role} what docs/your-table.md lists, or GRANT ${owner} TO ${role}`,
    ),
  ];
}

function judgeRewrite(table: TableFacts, adopting: boolean, widenId: boolean): Finding[] {
  const id = table.columns.find(({ name }) => name === 'id');
  if (id?.base !== 'integer' || (!adopting && !widenId)) return [];
  const rows = Math.round(table.estimatedRows);
  const blocked = table.dependOnId.length > 0;
  if (widenId && blocked) {
    return table.dependOnId.map((object) =>
      obstacle(
        `${object} depends on ${table.name}.id`,
        'PostgreSQL does not change its type then: drop it and make it anew afterwards',
      ),
    );
  }
  if (widenId || (rows <= MAX_ROWS_TO_REWRITE_UNASKED && !blocked && table.children.length === 0)) {
    if (rows === 0) return [];
    return [
      warning(
        `${table.name}.id becomes BIGINT, for which PostgreSQL rewrites about ${rows.toLocaleString('en')} rows`,
        `Nobody reads or writes the table for about ${Math.ceil(rows / 1_000_000)} s meanwhile, several times that on slow disks`,
      ),
    ];
  }
  const inherited = rows <= MAX_ROWS_TO_REWRITE_UNASKED;
  const unasked = inherited
    ? `${table.children.join(', ')} inherit from the table`
    : `the table has about ${rows.toLocaleString('en')} rows`;
  const why = blocked ? `${table.dependOnId.join(', ')} depends on it` : unasked;
  return [
    warning(
      `${table.name}.id stays INTEGER, because ${why}`,
      'It works until its sequence ends at 2,147,483,647; "npm run migrate -- --widen-id" makes it BIGINT (docs/your-table.md)',
    ),
  ];
}

function judgeContent({ table, content }: DatabaseFacts): Finding[] {
  if (table === null || content === null) return [];
  const found: Finding[] = [];
  if (content.hasInexactIds) {
    found.push(
      obstacle(
        `${table.name}.id goes beyond ±${Number.MAX_SAFE_INTEGER}`,
        'The service does not hold such ids exactly and would never send those rows: give them other ids, or move them to another table',
      ),
    );
  }
  if (content.unsent > 0) {
    const count = content.unsent > MAX_UNSENT_COUNTED ? `more than ${MAX_UNSENT_COUNTED}` : String(content.unsent);
    found.push(
      warning(
        `${table.name} has ${count} unsent ${count === '1' ? 'row' : 'rows'}`,
        'They are sent, oldest first, as soon as sending runs: set auto_sending to false before the first start to look first',
      ),
    );
  }
  if (content.hasUnknownStatus) {
    found.push(
      warning(
        `${table.name}.sent_status is NULL in some rows`,
        'NULL counts as unsent: they become FALSE, and the column NOT NULL, so that nobody can write NULL there from then on',
      ),
    );
  }
  return found;
}

function judgeEncoding({ database, encoding }: DatabaseFacts): Finding[] {
  if (encoding === 'UTF8') return [];
  return [
    warning(
      `The database ${database} has the encoding ${encoding}`,
      encoding === 'SQL_ASCII'
        ? 'Lengths count bytes there, so a text of 160 letters may be refused; make a database with the encoding UTF8'
        : 'Characters that it does not have are refused (422); make a database with the encoding UTF8',
    ),
  ];
}
