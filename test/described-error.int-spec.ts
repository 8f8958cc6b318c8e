import { databaseFaultOf, postgresErrorOf, refusalOf } from '../src/database-fault.js';
import { describeError } from '../src/described-error.js';
import { isOfFunction } from '../src/postgres-error.js';
import { reasonOf } from '../src/reason-of.js';
import { TestDatabase } from './support/test-database.js';

describe('what PostgreSQL says in the words of a table’s owner', () => {
  let database: TestDatabase;
  beforeAll(async () => (database = await TestDatabase.create()));
  afterAll(() => database.drop());

  const errorOf = async (statement: string) => {
    const error: unknown = await database.query(statement).catch((reason: unknown) => reason);
    return describeError(new Error('storing a message', { cause: error }));
  };

  it.each(['', ` USING ERRCODE = '45000'`])('is not told, whatever its class is (RAISE%s)', async (using) => {
    const said = await errorOf(
      `DO $$ BEGIN RAISE EXCEPTION 'no % (text: %)', 'somebody', 'a secret text'${using}; END $$`,
    );
    expect(JSON.stringify(said)).not.toMatch(/somebody|secret/);
    expect(said.message).toMatch(
      /^storing a message: PostgreSQL refused it with SQLSTATE (P0001|45000), function inline_code_block$/,
    );
  });

  it('is told by its constraint, and errors of PostgreSQL’s own in their words', async () => {
    await database.query(`CREATE TABLE owned (content TEXT CONSTRAINT short CHECK (length(content) < 3))`);
    expect((await errorOf(`INSERT INTO owned VALUES ('secret')`)).message).toMatch(
      /SQLSTATE 23514, table owned, constraint short$/,
    );
    expect((await errorOf('SELECT nothing')).message).toContain('column "nothing" does not exist');
    expect((await errorOf('SELECT 1 FROM nowhere')).message).toContain('relation "nowhere" does not exist');
    expect((await errorOf('CREATE TABLE owned ()')).message).toContain('relation "owned" already exists');
    expect((await errorOf(`SET statement_timeout = 1; SELECT pg_sleep(9)`)).message).toContain('statement timeout');
  });

  /** Each puts a phone number or a word of the content into a text of PostgreSQL's own. */
  const TRIGGERS = [
    [`EXECUTE format('INSERT INTO %I VALUES (1)', 'part_' || NEW.recipient_phone)`, '42P01'],
    [`EXECUTE 'SELECT ' || NEW.content`, '42601'],
    [`EXECUTE format('SELECT %I FROM owners', NEW.content)`, '42703'],
    [`EXECUTE format('SELECT %I()', NEW.content)`, '42883'],
    [`PERFORM set_config(NEW.content, 'x', true)`, '42704'],
    [`PERFORM NEW.content::int`, '22P02'],
    [`PERFORM to_date(NEW.content, 'YYYY')`, '22007'],
    [`ASSERT false, NEW.content`, 'P0004'],
    [`RAISE EXCEPTION '%', NEW.content USING ERRCODE = '53100'`, '53100'],
    [`INSERT INTO part_905550000078 VALUES (NULL)`, '23502'],
  ] as const;

  it.each(TRIGGERS)('is not told of what a trigger does with a row: %s', async (body, sqlstate) => {
    await database.query(`
      DROP TABLE IF EXISTS owners, part_905550000078;
      CREATE TABLE part_905550000078 (of INTEGER NOT NULL);
      CREATE TABLE owners (recipient_phone TEXT, content TEXT);
      CREATE OR REPLACE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body}; RETURN NEW; END $$;
      CREATE TRIGGER guard BEFORE INSERT ON owners FOR EACH ROW EXECUTE FUNCTION guard()`);
    const cause: unknown = await database
      .query(`INSERT INTO owners VALUES ('+905550000077', 'Surprise)party')`)
      .catch((reason: unknown) => reason);
    expect(isOfFunction(postgresErrorOf(cause)!)).toBe(true);
    expect(databaseFaultOf(cause)).toBe('refused');
    const told = [describeError(new Error('storing', { cause })), refusalOf(cause), reasonOf(cause)];
    expect(JSON.stringify(told)).not.toMatch(/9055500000|Surprise|party/i);
    expect(refusalOf(cause).text).toMatch(new RegExp(`^SQLSTATE ${sqlstate}, (?:.*, )?function guard$`));
  });

  it.each([
    [`((recipient_phone)::regclass IS NOT NULL)`, '+905550000077'],
    [`((content)::regtype IS NOT NULL)`, 'Surprise'],
    [`(content::regproc IS NOT NULL)`, 'Surprise'],
    [`(has_column_privilege('casts', content, 'SELECT'))`, 'Surprise'],
    [`(nextval(content) > 0)`, 'Surprise'],
  ])('is not told of a constraint that looks up a name: %s', async (check) => {
    await database.query(`DROP TABLE IF EXISTS casts; CREATE TABLE casts (recipient_phone TEXT, content TEXT);
      ALTER TABLE casts ADD CHECK (${check})`);
    const cause: unknown = await database
      .query(`INSERT INTO casts VALUES ('part_905550000077', 'Surprise')`)
      .catch((reason: unknown) => reason);
    const told = [describeError(cause), refusalOf(cause), reasonOf(cause)];
    expect(told[0]).toMatchObject({ message: expect.stringMatching(/SQLSTATE 42/) as unknown });
    expect(JSON.stringify(told)).not.toMatch(/9055500000|Surprise/i);
  });
});
