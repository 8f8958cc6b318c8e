import type { DatabaseFacts, TableFacts } from './database-facts.js';
import { judgeMigration, judgeService } from './judge-database.js';

const column = (name: string, base: string, category: string) => ({
  name,
  type: base,
  base,
  category,
  nullable: name === 'sent_at',
  generated: false,
  fills: name === 'id',
  default: null,
});

const TABLE: TableFacts = {
  name: 'public.messages',
  schema: 'public',
  kind: 'table',
  temporary: false,
  unlogged: false,
  isPartition: false,
  children: [],
  unindexedChildren: [],
  childColumns: [],
  owner: 'shop',
  owned: true,
  rowSecurity: false,
  policies: [],
  hidesFromUpdate: false,
  estimatedRows: 0,
  idIsUnique: true,
  columns: [
    column('id', 'integer', 'N'),
    column('recipient_phone', 'text', 'S'),
    column('content', 'character varying', 'S'),
    column('sent_status', 'boolean', 'B'),
    column('sent_at', 'timestamp without time zone', 'D'),
  ],
  rules: [],
  triggers: [],
  publications: [],
  dependOnId: [],
  rowTypeColumns: [],
};

const facts = (changes: Partial<DatabaseFacts> = {}, table: Partial<TableFacts> = {}): DatabaseFacts => ({
  database: 'sms',
  role: 'shop',
  schema: 'public',
  searchPath: ['public'],
  encoding: 'UTF8',
  mayCreate: true,
  mayMakeTemporaryTables: true,
  applied: [],
  table: { ...TABLE, ...table },
  content: null,
  elsewhere: [],
  names: [],
  otherTables: [],
  ownSearchPath: false,
  limits: [],
  missingRights: [],
  ...changes,
});

describe('judging a database', () => {
  it('finds nothing to say of the table as it is documented', () => {
    expect(judgeMigration(facts())).toEqual([]);
    expect(judgeService(facts())).toEqual([]);
  });

  it.each([
    ['a rule', facts({}, { rules: [{ name: 'log', on: 'UPDATE' }] }), 'obstacle', 'rule log'],
    ['a rule that changes nothing of the service', facts({}, { rules: [{ name: 'keep', on: 'DELETE' }] }), null, ''],
    ['row security', facts({}, { rowSecurity: true, policies: ['own'] }), 'warning', 'Row security'],
    ['another encoding', facts({ encoding: 'LATIN5' }), 'warning', 'LATIN5'],
    ['no TEMPORARY', facts({ mayMakeTemporaryTables: false }), 'warning', 'temporary tables'],
    ['no UPDATE', facts({ missingRights: [{ on: 'messages', rights: ['UPDATE'] }] }), 'obstacle', 'lacks UPDATE'],
    [
      'a table of an earlier schema that hides one of its own',
      facts({ otherTables: [{ name: 'imports', found: 'shop.imports', hides: true }] }),
      'obstacle',
      'imports leads to shop.imports',
    ],
    ['no INSERT alone', facts({ missingRights: [{ on: 'messages', rights: ['INSERT'] }] }), 'warning', 'lacks INSERT'],
  ] as const)('at a start, %s', (_, found, level, text) => {
    const judged = judgeService(found).map((finding) => [finding.level, finding.text.includes(text)]);
    expect(judged).toEqual(level === null ? [] : [[level, true]]);
  });

  it.each([
    ['of another owner', facts({}, { owned: false }), 'belongs to shop'],
    ['in a schema where nothing may be made', facts({ mayCreate: false }), 'may not create tables'],
    ['without a schema', facts({ schema: null, searchPath: [] }), 'No schema of the search path'],
    ['that is a foreign table', facts({}, { kind: 'foreign table' }), 'is a foreign table'],
    ['that is a partition', facts({}, { isPartition: true }), 'is a partition'],
    ['whose id is not unique', facts({}, { idIsUnique: false }), 'is not unique'],
    [
      'for a role that may only read',
      facts({ limits: [{ name: 'default_transaction_read_only', value: 'on' }] }),
      'is on',
    ],
  ])('refuses to migrate a table %s', (_, found, text) => {
    expect(judgeMigration(found)).toContainEqual(
      expect.objectContaining({ level: 'obstacle', text: expect.stringContaining(text) as string }),
    );
  });
});
