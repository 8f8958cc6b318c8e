import { replyFor } from '../src/error-mapping.js';
import { ApiDatabase } from '../src/database.js';
import { createDataSource, type ServiceDataSource } from '../src/data-source.js';
import { IntakeKeys } from '../src/messages/intake-keys.js';
import { MessageIntake, type PostBody } from '../src/messages/message-intake.js';
import { MessagesRepository } from '../src/messages/messages.repository.js';
import { TestDatabase } from './support/test-database.js';

const good = { recipient_phone: '+905551111111', content: 'x' };

/** A trigger whose function does this with each row. */
const raising = (statement: string) => `
  CREATE OR REPLACE FUNCTION refuse_as() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${statement}; RETURN new; END $$;
  CREATE TRIGGER refuse_as BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION refuse_as()`;
const DROP_RAISING = 'DROP TRIGGER refuse_as ON messages';

describe('POST /messages into a table that has more than the service made', () => {
  let database: TestDatabase;
  let dataSource: ServiceDataSource;
  let intake: MessageIntake;

  const open = async (created: TestDatabase) => {
    database = created;
    dataSource = await createDataSource(database.url).initialize();
    await dataSource.runMigrations();
    const messages = new MessagesRepository(new ApiDatabase(dataSource));
    intake = new MessageIntake(messages, new IntakeKeys(dataSource), dataSource);
  };
  afterEach(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  const stored = async () => await database.value<number>('SELECT count(*) FROM messages');
  const refused = async (body: PostBody, key: string | null = null) => {
    const error: unknown = await intake.take(body, key, null).then(
      () => 'taken',
      (reason: unknown) => reason,
    );
    return replyFor(error, 'POST');
  };
  /** A message, a list, and both with a key. */
  const WAYS: readonly (readonly [PostBody, string | null])[] = [
    [good, null],
    [[good, good], null],
    [good, 'key 1'],
    [[good, good], 'key 2'],
  ];

  it('is refused as a whole, with the trigger named, when one keeps the row out or stores it elsewhere', async () => {
    await open(await TestDatabase.create());
    await database.query(`
      CREATE TABLE messages_2026 () INHERITS (messages);
      CREATE FUNCTION route() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO messages_2026 VALUES (new.*); RETURN NULL; END $$;
      CREATE TRIGGER route_by_year BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION route()`);
    for (const [body, key] of WAYS) {
      const reply = await refused(body, key);
      expect([reply?.status, reply?.body.code]).toEqual([422, 'messages.kept_out']);
      expect(reply?.body.error).toContain('the trigger route_by_year');
      expect(await stored()).toBe(0);
    }
    await database.query('DROP TRIGGER route_by_year ON messages');
    // What failed kept no answer: the same key is new.
    expect(JSON.parse((await intake.take([good, good], 'key 2', null)).body)).toEqual({
      results: [
        { index: 0, status: 'accepted', id: expect.any(Number) as number },
        { index: 1, status: 'accepted', id: expect.any(Number) as number },
      ],
    });
    expect(await stored()).toBe(2);
  });

  it('is refused with the name of the column, constraint or trigger that refuses it', async () => {
    await open(await TestDatabase.create());
    const refusals = [
      [
        'ALTER TABLE messages ADD COLUMN tenant INTEGER NOT NULL',
        'ALTER TABLE messages DROP COLUMN tenant',
        'column tenant',
      ],
      [
        `ALTER TABLE messages ADD CONSTRAINT only_turkish CHECK (recipient_phone LIKE '0%')`,
        'ALTER TABLE messages DROP CONSTRAINT only_turkish',
        'constraint only_turkish',
      ],
      [
        `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'not % (text: %)', new.recipient_phone, new.content; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION refuse()`,
        'DROP TRIGGER refuse ON messages',
        'A trigger or function',
      ],
      ...[
        'U0001',
        '45000',
        '42501',
        '0A000',
        '53300',
        '57014',
        '40001',
        '08000',
        '57P01',
        '25006',
        '42P01',
        '22012',
      ].map(
        (sqlstate) =>
          [
            raising(`RAISE EXCEPTION 'not %', new.content USING ERRCODE = '${sqlstate}'`),
            DROP_RAISING,
            sqlstate,
          ] as const,
      ),
      [raising('ASSERT false, new.content'), DROP_RAISING, 'P0004'],
      [raising('INSERT INTO nowhere VALUES (1)'), DROP_RAISING, '42P01'],
      [raising('PERFORM 1 / 0'), DROP_RAISING, '(refuse_as)'],
    ] as const;
    for (const [make, drop, named] of refusals) {
      await database.query(make);
      for (const [body, key] of WAYS) {
        const reply = await refused(body, key);
        expect([named, reply?.status, reply?.body.code]).toEqual([named, 422, 'database.refused']);
        expect(reply?.body.error).toContain(named);
        expect(JSON.stringify(reply?.body)).not.toContain(good.recipient_phone);
      }
      await database.query(drop);
    }
    expect(await stored()).toBe(0);
  });

  it.each([
    ['LATIN5', { ...good, content: 'well done 😀' }, 'the character 😀'],
    ['SQL_ASCII', { ...good, content: 'ş'.repeat(100) }, 'messages_content_check'],
  ])('is refused for what a database in %s cannot hold', async (encoding, body, named) => {
    await open(
      await TestDatabase.create(
        undefined,
        `ENCODING '${encoding}' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
      ),
    );
    const reply = await refused(body);
    expect([reply?.status, reply?.body.code]).toEqual([422, 'database.refused']);
    expect(reply?.body.error).toContain(named);
  });
});
