import { Logger } from '@nestjs/common';
import { MIGRATIONS } from '../src/data-source.js';
import { OWN_NAMES } from '../src/preflight/own-names.js';
import { runMigrations } from '../src/run-migrations.js';
import { StartupError } from '../src/startup-error.js';
import { POSTGRES_VERSIONS, programsOf } from './support/postgres-versions.js';
import { PostgresServer } from './support/postgres-server.js';
import { SEED } from './support/seed-table.js';
import { TestDatabase } from './support/test-database.js';

/** Notes every name that is there after any command: also of what a later migration drops. */
const NOTE_NAMES = `
  CREATE SCHEMA noted;
  CREATE TABLE noted.names (kind text, name text, arguments text, UNIQUE NULLS NOT DISTINCT (kind, name, arguments));
  CREATE FUNCTION noted.note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO noted.names
      SELECT 'relation', relname, NULL FROM pg_class WHERE relnamespace = 'public'::regnamespace
      UNION ALL SELECT 'type', typname, NULL FROM pg_type WHERE typnamespace = 'public'::regnamespace
      UNION ALL SELECT 'function', proname, pg_get_function_identity_arguments(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
      UNION ALL SELECT 'check', conname, NULL FROM pg_constraint WHERE conrelid = to_regclass('public.messages') AND contype = 'c'
      ON CONFLICT DO NOTHING;
  END $$;
  CREATE EVENT TRIGGER note_names ON ddl_command_end EXECUTE FUNCTION noted.note();`;

interface Name {
  readonly kind: 'relation' | 'type' | 'function' | 'check';
  readonly name: string;
  readonly arguments: string | null;
}

const SOMEBODY_ELSES: Readonly<Record<Name['kind'], (name: string, args: string) => string>> = {
  relation: (name) => `CREATE SEQUENCE "${name}"`,
  type: (name) => `CREATE DOMAIN "${name}" AS text`,
  function: (name, args) =>
    `CREATE FUNCTION "${name}"(${args.replace(/\w+ (\w+[^,]*)/g, '$1')}) RETURNS text LANGUAGE sql AS $$ SELECT 'ours' $$`,
  check: (name) => `ALTER TABLE messages ADD CONSTRAINT "${name}" CHECK (sent_at IS NULL OR sent_status)`,
};

describe.each(POSTGRES_VERSIONS)('names that somebody has already, PostgreSQL %s', (version) => {
  let server: PostgresServer;
  let database: TestDatabase;
  const said: string[] = [];
  const take = (line: unknown) => void said.push(String(line));

  beforeAll(async () => {
    server = await PostgresServer.started({}, programsOf(version));
    Logger.overrideLogger({ log: () => undefined, warn: take, error: take });
  });
  afterAll(() => server.remove());
  beforeEach(async () => {
    said.length = 0;
    database = await TestDatabase.create(server.url);
  });
  afterEach(() => database.drop());

  const migrate = async (on = database) => await runMigrations(on.url, { widenId: false });
  const refusal = async () => {
    const error: unknown = await migrate().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StartupError);
    return error instanceof Error ? error.message : '';
  };
  /** What migrations give names to, in an empty database or beside a company's table. */
  const namesGiven = async (...before: readonly string[]) => {
    const other = await TestDatabase.create(server.url);
    try {
      for (const statement of [...before, NOTE_NAMES]) await other.query(statement);
      await migrate(other);
      return await other.query<Name & Record<string, unknown>>('SELECT * FROM noted.names');
    } finally {
      await other.drop();
    }
  };

  it.each([
    ['in an empty database', []],
    ["beside a company's table", [SEED, 'ALTER TABLE messages ALTER sent_status DROP NOT NULL']],
  ])('%s are told all at once, and those that PostgreSQL makes up do no harm', async (_, before) => {
    for (const statement of before) await database.query(statement);
    const own = new Set([...(await namesIn(database)).map(keyOf), ...(before.length > 0 ? ['type messages'] : [])]);
    const given = (await namesGiven(...before)).filter(
      // What is named messages is looked at as the table; the other one is TypeORM's, and a hash.
      (name) => !own.has(keyOf(name)) && keyOf(name) !== 'relation messages' && !name.name.startsWith('PK_'),
    );
    const taken = given.filter(({ kind }) => kind !== 'check' || before.length > 0);
    for (const { kind, name, arguments: args } of taken) await database.query(SOMEBODY_ELSES[kind](name, args ?? ''));
    const theirs = await namesIn(database);

    const message = await refusal();
    expect(message).toContain('nothing was changed');
    expect(await namesIn(database)).toEqual(theirs);
    const cures = [...message.matchAll(/ALTER .* RENAME (CONSTRAINT \S+ )?TO …/g)].map(([cure]) => cure);
    expect(cures).toHaveLength(message.split('\n').length - 1);
    for (const [index, cure] of cures.entries()) await database.query(cure.replace('…', `theirs_${index}`));
    const kept = (await namesIn(database)).filter((name) => !own.has(keyOf(name)));

    await migrate();
    expect(await database.value('SELECT count(*) FROM message_dispatcher_migrations')).toBe(MIGRATIONS.length);
    expect(await namesIn(database)).toEqual(expect.arrayContaining(kept));
    // Each name that is told is one of a list, and the list has no other.
    expect(cures.map((cure) => cure.replace(/.*?(\w+)(\(.*\))? (RENAME )?TO …$/, '$1')).toSorted()).toEqual(
      OWN_NAMES.flatMap(({ name, kind }) => {
        const was = taken.filter((other) => other.name === name && (kind === 'table' || other.kind !== 'type'));
        return was.map(() => name);
      }).toSorted(),
    );
  });

  it('in a later schema of the search path are told where others have the path, too, and leave a table alone', async () => {
    const name = await database.value<string>('SELECT current_database()');
    await database.query('CREATE SCHEMA sms; CREATE TABLE imports (note TEXT)');
    await database.query(`ALTER DATABASE ${name} SET search_path = sms, public`);
    expect(await refusal()).toMatch(/sms\.imports would be made, which hides public\.imports .*SET search_path = sms/);
    await database.query(`ALTER DATABASE ${name} RESET search_path`);
    await database.query(`ALTER ROLE postgres IN DATABASE ${name} SET search_path = sms, public`);
    await migrate();
    expect(said.join('\n')).toMatch(/hides public\.imports .*Only sessions of postgres have it/);
    // Another installation behind it in the path is not taken for this one, nor are its migrations.
    await database.query(`CREATE SCHEMA shop; ALTER ROLE postgres IN DATABASE ${name} SET search_path = shop, sms`);
    await database.query(`SET search_path = shop; ${SEED}`);
    await migrate();
    expect(await database.value(`SELECT to_regclass('shop.dispatch_jobs') IS NOT NULL`)).toBe(true);
  });

  it('of columns that an inheriting table has alone are told', async () => {
    await database.query(SEED);
    await database.query('CREATE TABLE old (created_at TIMESTAMPTZ, attempts TEXT, doubt TEXT) INHERITS (messages)');
    const message = await refusal();
    expect(message).toMatch(/old\.attempts \(text\) .*RENAME COLUMN attempts/);
    expect(message.split('\n')).toHaveLength(3);
    await database.query('ALTER TABLE old RENAME attempts TO tries; ALTER TABLE old RENAME doubt TO worry');
    await migrate();
  });
});

const keyOf = ({ kind, name }: Name) => `${kind} ${name}`;

/** With what tells an object from one that has replaced it. */
async function namesIn(database: TestDatabase): Promise<(Name & { id: string })[]> {
  return await database.query<Name & { id: string }>(`
    SELECT 'relation' AS kind, relname::text AS name, NULL AS arguments, oid::text AS id
      FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'type', typname, NULL, oid::text FROM pg_type
      WHERE typnamespace = 'public'::regnamespace AND typtype = 'd'
    UNION ALL SELECT 'function', proname, NULL, concat(oid, md5(prosrc)) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'check', conname, NULL, oid::text FROM pg_constraint
      WHERE conrelid = to_regclass('messages') AND contype = 'c'
    ORDER BY 1, 2`);
}
