import { lookAtDatabase } from '../src/preflight/look-at-database.js';
import { lineOf, type Finding } from '../src/preflight/finding.js';
import { judgeMigration, judgeService } from '../src/preflight/judge-database.js';
import { createMigratedDatabase } from './support/migrated-database.js';
import { SEED } from './support/seed-table.js';
import { TestDatabase } from './support/test-database.js';

const askOf =
  (database: TestDatabase) =>
  async <Row extends object>(statement: string, values: readonly unknown[] = []): Promise<Row[]> =>
    await database.query<Row & Record<string, unknown>>(statement, [...values]);
const linesOf = (found: readonly Finding[], pattern: RegExp) => found.map(lineOf).filter((line) => pattern.test(line));

describe('what is told of a table', () => {
  it('names the indexes that its children lack, until they are made', async () => {
    const migrated = await createMigratedDatabase();
    const { database } = migrated;
    try {
      await database.query('CREATE TABLE archive () INHERITS (messages)');
      await database.query('CREATE TABLE older () INHERITS (archive)');
      await database.query('ALTER TABLE older ADD PRIMARY KEY (id)');
      const look = async () => linesOf(judgeService(await lookAtDatabase(askOf(database))), /inherits from/);
      const lines = await look();
      expect(lines).toEqual([expect.stringMatching(/^archive inherits/), expect.stringMatching(/^older inherits/)]);
      const commands = lines.flatMap((line) => line.match(/CREATE INDEX CONCURRENTLY ON [^;]*/g) ?? []);
      expect(commands).toContain('CREATE INDEX CONCURRENTLY ON archive USING btree (id)');
      expect(commands).not.toContain('CREATE INDEX CONCURRENTLY ON older USING btree (id)');
      for (const command of commands) await database.query(command);
      expect(await look()).toEqual([]);
    } finally {
      await migrated.drop();
    }
  });

  it('says that policies hide rows from UPDATE alone', async () => {
    const migrated = await createMigratedDatabase();
    const { database } = migrated;
    const client = await database.connect();
    try {
      const look = async (...policies: string[]) => {
        await client.query('BEGIN');
        const statements = [
          'CREATE ROLE sees_some',
          'GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO sees_some',
          'ALTER TABLE messages ENABLE ROW LEVEL SECURITY',
          ...policies,
          'SET LOCAL ROLE sees_some',
        ];
        for (const statement of statements) await client.query(statement);
        const facts = await lookAtDatabase(
          async <Row extends object>(statement: string, values?: readonly unknown[]) => {
            const { rows } = await client.query<Row & Record<string, unknown>>(statement, values && [...values]);
            return rows;
          },
        );
        await client.query('ROLLBACK');
        return linesOf(judgeService(facts), /for UPDATE/);
      };
      expect(await look('CREATE POLICY all_of_it ON messages USING (id > 0)')).toEqual([]);
      expect(
        await look(
          'CREATE POLICY see ON messages FOR SELECT USING (TRUE)',
          'CREATE POLICY change ON messages FOR UPDATE USING (id % 2 = 0)',
        ),
      ).toHaveLength(1);
    } finally {
      await client.end();
      await migrated.drop();
    }
  });

  it('names ids that JavaScript would round as an obstacle', async () => {
    const database = await TestDatabase.create();
    try {
      await database.query(SEED);
      await database.query('ALTER TABLE messages ALTER id TYPE bigint');
      const obstacles = async () =>
        linesOf(
          judgeMigration(await lookAtDatabase(askOf(database))).filter(({ level }) => level === 'obstacle'),
          /goes beyond/,
        );
      expect(await obstacles()).toEqual([]);
      await database.query(
        `INSERT INTO messages (id, recipient_phone, content) VALUES (9007199254740992, '+905551111111', 'x')`,
      );
      expect(await obstacles()).toHaveLength(1);
    } finally {
      await database.drop();
    }
  });
});
