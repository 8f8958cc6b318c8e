import { Logger, type LoggerService } from '@nestjs/common';
import { runMigrations } from '../src/run-migrations.js';
import { MIGRATIONS } from '../src/data-source.js';
import { StartupError } from '../src/startup-error.js';
import { eventually } from './support/eventually.js';
import { PostgresServer } from './support/postgres-server.js';
import { POSTGRES_VERSIONS, programsOf } from './support/postgres-versions.js';
import { MESSAGE_INDEXES } from '../migrations/message-indexes.js';
import { MIGRATIONS_TABLE, OWN_COLUMNS, OWN_TABLES } from '../src/preflight/table-contract.js';
import { SEED } from './support/seed-table.js';
import { TestDatabase } from './support/test-database.js';

const nothing = () => undefined;

describe.each(POSTGRES_VERSIONS)('adopting a table, PostgreSQL %s', (version) => {
  let server: PostgresServer;
  let database: TestDatabase;
  const said: string[] = [];
  const take = (line: unknown) => void said.push(String(line));

  beforeAll(async () => {
    server = await PostgresServer.started({}, programsOf(version));
    const logger: LoggerService = { log: nothing, warn: take, error: take };
    Logger.overrideLogger(logger);
  });
  afterAll(() => server.remove());
  beforeEach(async () => {
    said.length = 0;
    database = await TestDatabase.create(server.url);
  });
  afterEach(() => database.drop());

  const migrate = async (widenId = false) => await runMigrations(database.url, { widenId });
  const refusal = async (widenId = false) => {
    const before = await shapeOf(database);
    const error: unknown = await migrate(widenId).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StartupError);
    expect(await shapeOf(database)).toEqual(before);
    return error instanceof Error ? error.message : '';
  };
  const adopt = async (...statements: string[]) => {
    for (const statement of [SEED, ...statements]) await database.query(statement);
  };
  const typeOf = async (column: string) =>
    await database.value<string>(
      `SELECT format_type(atttypid, atttypmod) FROM pg_attribute
        WHERE attrelid = 'messages'::regclass AND attname = $1`,
      [column],
    );

  it('names every obstacle with its cure in one message, and changes nothing', async () => {
    await adopt(
      'ALTER TABLE messages ALTER sent_at TYPE timestamptz, ADD message_id INTEGER, ADD attempts TEXT, ADD claimed_by TEXT',
      'CREATE TABLE audit (old_row messages)',
      'CREATE TABLE message_log (id INTEGER)',
      'CREATE RULE log_changes AS ON UPDATE TO messages DO ALSO INSERT INTO message_log VALUES (new.id)',
      'CREATE TABLE imports (id INTEGER)',
      'CREATE INDEX idx_messages_sent ON messages (sent_at)',
    );
    const message = await refusal();
    for (const part of [
      'nothing was changed',
      /public\.messages\.sent_at is timestamp with time zone and must be TIMESTAMP .*AT TIME ZONE 'UTC'/,
      /public\.messages\.message_id is integer, and the service keeps TEXT.*RENAME COLUMN message_id/,
      /public\.messages\.attempts is text, and the service keeps INTEGER/,
      /public\.messages\.claimed_by is text, and the service keeps BIGINT/,
      /audit\.old_row holds whole rows of public\.messages.*JSONB/,
      /The rule log_changes on public\.messages changes each UPDATE.*trigger/,
      /The table public\.imports is there.*ALTER TABLE public\.imports RENAME TO/,
      /The index public\.idx_messages_sent of messages .*ALTER INDEX public\.idx_messages_sent RENAME TO/,
    ]) {
      expect(message).toMatch(part);
    }
    expect(message.split('\n')).toHaveLength(9);
  });

  it("refuses what is no ordinary table, and columns of the company's that the service would overwrite", async () => {
    await database.query(
      'CREATE TABLE messages (id INTEGER, recipient_phone TEXT, content TEXT, sent_status BOOLEAN, sent_at TIMESTAMP) PARTITION BY RANGE (id)',
    );
    expect(await refusal()).toMatch(/public\.messages is a partitioned table/);
    await database.query('DROP TABLE messages');
    await adopt('ALTER TABLE messages ADD message_id TEXT', 'ALTER TABLE messages RENAME TO texts');
    await database.query('CREATE VIEW messages AS SELECT * FROM texts');
    expect(await refusal()).toMatch(/public\.messages is a view/);
    await database.query('DROP VIEW messages');
    await database.query('ALTER TABLE texts RENAME TO messages');
    await database.query(`INSERT INTO messages (recipient_phone, content, message_id) VALUES ('+90', 'x', 'our own')`);
    expect(await refusal()).toMatch(/public\.messages\.message_id holds values of yours/);
    await database.query('UPDATE messages SET message_id = NULL');
    await database.query('ALTER TABLE messages DROP sent_status, ALTER id DROP DEFAULT, ALTER id TYPE text');
    expect(await refusal()).toMatch(/has no column sent_status[^]*|id is text and must be INTEGER or BIGINT/);
  });

  it('makes no second table where another schema has one, and takes no table that is not in the first schema', async () => {
    const name = await database.value<string>('SELECT current_database()');
    await database.query('CREATE SCHEMA sms');
    await adopt('ALTER TABLE messages SET SCHEMA sms');
    expect(await refusal()).toMatch(
      /sms\.messages is there, but the search path .* an empty public\.messages would be made/,
    );
    await database.query(`ALTER DATABASE ${name} SET search_path = public, sms`);
    expect(await refusal()).toMatch(
      /messages is sms\.messages, but .* schema public, the first.*SET search_path = sms/,
    );
    await database.query(`ALTER DATABASE ${name} SET search_path = sms`);
    await migrate();
    expect(await database.value(`SELECT to_regclass('sms.dispatch_jobs') IS NOT NULL`)).toBe(true);
    // Another installation beside it: that table is taken.
    await database.query('CREATE SCHEMA shop');
    await database.query(`ALTER DATABASE ${name} SET search_path = shop`);
    await migrate();
    expect(await database.value(`SELECT to_regclass('shop.messages') IS NOT NULL`)).toBe(true);
  });

  it('leaves an INTEGER id as it is where something depends on it, and names that when the rewrite is asked for', async () => {
    await adopt(
      'CREATE VIEW unsent AS SELECT id FROM messages WHERE NOT sent_status',
      'CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$',
      'CREATE TRIGGER watch_id BEFORE UPDATE OF id ON messages FOR EACH ROW EXECUTE FUNCTION note()',
      'CREATE POLICY positive ON messages USING (id > 0)',
      'ALTER TABLE messages ADD twice INTEGER GENERATED ALWAYS AS (id * 2) STORED',
      'CREATE FUNCTION newest() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT max(id) FROM messages; END',
      'CREATE PUBLICATION part FOR TABLE messages WHERE (id > 10)',
      'ALTER TABLE messages ADD tenant INTEGER NOT NULL',
    );
    await migrate();
    expect(await typeOf('id')).toBe('integer');
    expect(said.join('\n')).toMatch(/public\.messages\.id stays INTEGER, because .*view unsent/);
    expect(said.join('\n')).toMatch(/The trigger watch_id on public\.messages runs note\(\)/);
    expect(said.join('\n')).toMatch(/public\.messages is published by part/);
    expect(said.join('\n')).toMatch(/public\.messages\.tenant must have a value and has no default/);
    const message = await refusal(true);
    for (const object of [
      'view unsent',
      'watch_id',
      'policy positive',
      'column twice',
      'function newest',
      'publication',
    ]) {
      expect(message).toContain(object);
    }
    for (const statement of [
      'DROP VIEW unsent; DROP TRIGGER watch_id ON messages; DROP POLICY positive ON messages',
      'ALTER TABLE messages DROP twice; DROP FUNCTION newest(); DROP PUBLICATION part',
    ]) {
      await database.query(statement);
    }
    await migrate(true);
    expect(await typeOf('id')).toBe('bigint');
  });

  it("keeps a company's default, counts NULL as unsent, and builds no index that shuts writers out", async () => {
    await adopt(
      `ALTER TABLE messages ADD created_at TIMESTAMPTZ DEFAULT '2020-01-01Z', ALTER sent_status DROP NOT NULL, ALTER sent_status DROP DEFAULT`,
      `INSERT INTO messages (recipient_phone, content) SELECT '+90', 'x' FROM generate_series(1, 25000)`,
    );
    await migrate();
    expect(await database.value('SELECT count(*) FROM messages WHERE sent_status = FALSE')).toBe(25_000);
    expect(said.join('\n')).toMatch(/sent_status is NULL in some rows/);
    expect(said.join('\n')).toMatch(/has more than 10000 unsent rows/);
    await database.query(`INSERT INTO messages (recipient_phone, content) VALUES ('+90', 'y')`);
    expect(
      await database.query(`SELECT sent_status, created_at::date::text AS day FROM messages WHERE content = 'y'`),
    ).toEqual([{ sent_status: false, day: '2020-01-01' }]);
    await expect(database.query('UPDATE messages SET sent_status = NULL')).rejects.toMatchObject({ code: '23502' });
  });

  it("takes no notice of another tool's table migrations, and takes its own rows over from there", async () => {
    await adopt('CREATE TABLE migrations (migration TEXT, batch INTEGER)');
    await migrate();
    await database.query('DROP TABLE migrations');
    await database.query('ALTER TABLE message_dispatcher_migrations RENAME TO migrations');
    await database.query(`INSERT INTO migrations (timestamp, name) VALUES (1, 'OfAnotherApplication1')`);
    await migrate();
    expect(await database.query('SELECT name FROM migrations')).toEqual([{ name: 'OfAnotherApplication1' }]);
    expect(await database.value('SELECT count(*) FROM message_dispatcher_migrations')).toBe(MIGRATIONS.length);
  });

  it('adopts a table that was restored with its columns and indexes, an index of another shape and an invalid one too', async () => {
    await migrate();
    const shape = await shapeOf(database);
    await database.insertMessages(3);
    const others = await database.query<{ name: string }>(
      `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'messages'`,
    );
    await database.query(`DROP TABLE ${others.map(({ name }) => name).join(', ')} CASCADE`);
    await database.query(
      'DROP FUNCTION IF EXISTS dispatcher_try_claims(BIGINT[], BIGINT, INTEGER, INTERVAL, INTERVAL)',
    );
    await database.query('DROP INDEX idx_messages_retry, idx_messages_pausing');
    await database.query('CREATE INDEX idx_messages_retry ON messages (next_attempt_at)');
    await database.query(`UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'idx_messages_parked'::regclass`);
    await migrate();
    expect(await shapeOf(database)).toEqual(shape);
    expect(await database.value('SELECT bool_and(indisvalid) FROM pg_index')).toBe(true);
  });

  it('leaves the id of a large table INTEGER until somebody asks for the rewrite', async () => {
    await adopt('CREATE TABLE messages_archive () INHERITS (messages)');
    const pretend = async () =>
      await database.query(
        `UPDATE pg_class SET reltuples = 5e6, relpages = greatest(1, relpages) WHERE oid = 'messages'::regclass`,
      );
    await pretend();
    await database.query(`INSERT INTO messages (recipient_phone, content) VALUES ('+90', 'x')`);
    await migrate();
    expect(await typeOf('id')).toBe('integer');
    expect(said.join('\n')).toMatch(/id stays INTEGER, because the table has about 5,000,000 rows/);
    expect(said.join('\n')).toMatch(/messages_archive inherit from public\.messages/);
    await pretend();
    await migrate(true);
    expect(await typeOf('id')).toBe('bigint');
    expect(said.join('\n')).toMatch(/id becomes BIGINT, .* about 5,000,000 rows. Nobody reads or writes .* about 5 s/);
    await database.query(`SELECT setval('messages_id_seq', 3000000000)`);
    expect(await database.insertMessages(1)).toEqual([3_000_000_001]);
  });

  it('warns of an unlogged table and limits of the role, and goes on', async () => {
    const name = await database.value<string>('SELECT current_database()');
    await adopt('ALTER TABLE messages SET UNLOGGED', `ALTER DATABASE ${name} SET statement_timeout = '70s'`);
    await migrate();
    expect(said.join('\n')).toMatch(/public\.messages is UNLOGGED/);
    expect(said.join('\n')).toMatch(/statement_timeout is 70000ms for postgres/);
  });

  it('is made by one of two processes that start at once beside rows and an old snapshot, which is named', async () => {
    await adopt(`INSERT INTO messages (recipient_phone, content) VALUES ('+90', 'x')`);
    const old = await database.connect();
    await old.query(`SET application_name = 'old snapshot'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1`);
    const both = Promise.all([migrate(), migrate()]);
    try {
      await eventually(() => {
        expect(said.join('\n')).toMatch(/old snapshot.*; nobody waits for the migration meanwhile/);
      }, 15_000);
      await database.insertMessages(1);
    } finally {
      await old.query('COMMIT');
      await old.end();
    }
    await both;
    expect(await database.value('SELECT count(*) FROM message_dispatcher_migrations')).toBe(MIGRATIONS.length);
    expect(await database.value('SELECT bool_and(indisvalid) FROM pg_index')).toBe(true);
  });

  it('has a rule for every table, column and index of the service', async () => {
    await migrate();
    expect(
      await namesIn(database, `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`),
    ).toEqual([...Object.keys(OWN_TABLES), 'messages', MIGRATIONS_TABLE].toSorted());
    expect(
      await namesIn(
        database,
        `SELECT attname || ' ' || format_type(atttypid, NULL) AS name FROM pg_attribute
          WHERE attrelid = 'messages'::regclass AND attnum > 5 ORDER BY 1`,
      ),
    ).toEqual(OWN_COLUMNS.map(({ name, type }) => `${name} ${type}`).toSorted());
    expect(
      await namesIn(
        database,
        `SELECT indexname || ' ' || split_part(indexdef, ' USING ', 2) AS name FROM pg_indexes
                    WHERE tablename = 'messages' AND indexname LIKE 'idx%' AND indexname <> 'idx_messages_unsent' ORDER BY 1`,
      ),
    ).toEqual(
      Object.entries(MESSAGE_INDEXES)
        .map((index) => index.join(' '))
        .toSorted(),
    );
  });

  it('waits for no lock longer than 3 s, names who holds it, lets others through, and goes on when it is free', async () => {
    await adopt(`INSERT INTO messages (recipient_phone, content) VALUES ('+90', 'x')`);
    await database.query(`ALTER ROLE postgres IN DATABASE ${await database.value<string>('SELECT current_database()')}
      SET statement_timeout = '100ms'`);
    const reader = await database.connect();
    await reader.query(
      `SET application_name = 'nightly report'; SET statement_timeout = 0; BEGIN; SELECT FROM messages`,
    );
    const migrating = migrate();
    try {
      await eventually(() => {
        expect(said.join('\n')).toMatch(
          /A migration waits: the lock on the table messages is held by process \d+ \(application nightly report, role \w+, idle in transaction for \d+ s\)/,
        );
      }, 15_000);
      // Between two tries nobody stands in the way of a company's INSERT.
      await eventually(() => database.insertMessages(1));
    } finally {
      await reader.query('COMMIT');
      await reader.end();
    }
    await migrating;
    expect(await typeOf('id')).toBe('bigint');
  });
});

async function namesIn(database: TestDatabase, statement: string): Promise<string[]> {
  return (await database.query<{ name: string }>(statement)).map(({ name }) => name);
}

/** Columns, defaults, constraints, indexes and tables: what a migration may change. */
async function shapeOf(database: TestDatabase): Promise<string[]> {
  const rows = await database.query<{ line: string }>(`
    SELECT format('%s.%s %s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull,
        pg_get_expr(adbin, adrelid)) AS line
      FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
      WHERE relkind IN ('r', 'p', 'v') AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace,
        'pg_toast'::regnamespace) AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT format('%s %s', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint
      WHERE conrelid <> 0 AND contype <> 'n' AND connamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    UNION ALL SELECT format('%s %s', oid::regclass, reloptions) FROM pg_class WHERE relname = 'messages'
    ORDER BY 1`);
  return rows.map(({ line }) => line);
}
