import * as fc from 'fast-check';
import { Database } from '../src/database.js';
import { contentIsInvalid, phoneIsInvalid } from '../src/messages/invalid-messages.js';
import { MessageLists } from '../src/messages/message-lists.repository.js';
import { MessageClaims } from '../src/messages/message-claims.js';
import { contentFault, phoneFault } from '../src/messages/message-rules.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import { openJob } from './support/open-job.js';
import type { TestDatabase } from './support/test-database.js';

const storable = (text: string) => text.isWellFormed() && !text.includes('\0');
const listsOf = (arbitrary: fc.Arbitrary<string>) =>
  fc.array(arbitrary.filter(storable), { minLength: 50, maxLength: 100 });

describe('messages that cannot be sent as they stand', () => {
  let migrated: MigratedDatabase;
  let database: TestDatabase;

  beforeAll(async () => {
    migrated = await createMigratedDatabase();
    ({ database } = migrated);
  });
  beforeEach(() => database.query('TRUNCATE messages RESTART IDENTITY'));
  afterAll(() => migrated.drop());

  const invalidBySql = async (condition: string, texts: readonly string[]) =>
    await database.query(`SELECT text, ${condition} AS invalid FROM unnest($1::text[]) AS candidate (text)`, [
      [...texts],
    ]);

  it('are the same to PostgreSQL as to the service', async () => {
    const pieces = fc.constantFrom(
      '+',
      '0',
      '12',
      '555',
      ' ',
      '(',
      ')',
      '-',
      '.',
      '\n',
      '٣',
      '５',
      'x',
      '\u{1f4f1}',
      '\u00a0',
    );
    // What a spreadsheet makes of a number, and texts that are nearly so.
    const decimal = fc
      .tuple(
        fc.constantFrom('', '+', ' '),
        fc.stringMatching(/^[0-9]{0,34}$/),
        fc.constantFrom('.', '.0', '.00', '.000000', '.5', '.0 ', '.0\n', '..0', '.0.0', '-0'),
      )
      .map((parts) => parts.join(''));
    const phone = fc.oneof(
      fc.array(pieces, { maxLength: 20 }).map((parts) => parts.join('')),
      fc.string({ unit: 'binary' }),
      decimal,
    );
    const content = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.nat(165).map((n) => '\u{1f4f1}'.repeat(n)),
    );
    await fc.assert(
      fc.asyncProperty(listsOf(phone), listsOf(content), async (phones, contents) => {
        expect(await invalidBySql(phoneIsInvalid('text'), phones)).toEqual(
          phones.map((text) => ({ text, invalid: phoneFault(text) !== null })),
        );
        expect(await invalidBySql(contentIsInvalid('text'), contents)).toEqual(
          contents.map((text) => ({ text, invalid: contentFault(text) !== null })),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('are found 5,000 at a time and parked where they lie, but for what is locked, claimed or valid', async () => {
    const claims = new MessageClaims(new Database(migrated.dataSource));
    await database.query(`
      INSERT INTO messages (recipient_phone, content, next_attempt_at)
      SELECT CASE WHEN n % 1000 = 0 THEN '+905551111111' WHEN n = 4 THEN '905551111111.0' ELSE 'n/a' END, 'text', CASE WHEN n > 6000 THEN now() END
      FROM generate_series(1, 6010) n`);
    await database.query(`UPDATE messages SET doubt = 'no answer' WHERE id = 1`);
    await database.query(`UPDATE messages SET claimed_by = 7, claim_fence = 1 WHERE id = 2`);
    const other = await database.connect();
    await other.query('BEGIN');
    await other.query('SELECT FROM messages WHERE id = 3 FOR UPDATE');
    const found = await claims.findInvalidFresh(null);
    expect([found.looked, found.invalid.length, found.next]).toEqual([5_000, 4_994, 5_001]);
    // Corrected after it was found, and not yet looked at again.
    await database.query(`UPDATE messages SET recipient_phone = '+905551111111' WHERE id = 5`);
    const parked = await claims.parkInvalid(found.invalid);
    expect(parked).toMatchObject({ held: 4_992, parked: 4_992 });
    expect(parked.samples).toHaveLength(5);
    const further = await claims.findInvalidFresh(found.next);
    expect([further.looked, further.invalid.length, further.next]).toEqual([1_000, 999, null]);
    const retries = await claims.findInvalidRetries(null);
    expect([retries.looked, retries.invalid.length, retries.next]).toEqual([10, 10, null]);
    expect(await claims.parkInvalid([...further.invalid, ...retries.invalid])).toMatchObject({ parked: 1_009 });
    await other.end();
    expect(await database.query(`SELECT id FROM messages WHERE parked_as IS NULL ORDER BY id LIMIT 4`)).toEqual([
      { id: 2 },
      { id: 3 },
      { id: 5 },
      { id: 1000 },
    ]);
    expect(
      await database.query(
        `SELECT parked_as, count(*) FROM messages WHERE parked_as IS NOT NULL GROUP BY 1 ORDER BY 1`,
      ),
    ).toEqual([
      { parked_as: 'failed', count: 6_000 },
      { parked_as: 'uncertain', count: 1 },
    ]);
    expect(await database.value(`SELECT parked_reason FROM messages WHERE id = 1`)).toMatch(
      /^recipient_phone must be a phone number .*; an earlier attempt may have sent it: no answer$/,
    );
    expect(await database.value(`SELECT parked_reason FROM messages WHERE id = 4`)).toMatch(/not a decimal number/);
  });

  it('with ids that JavaScript would round are never claimed, are told, and keep no other message or list from moving', async () => {
    const service = new Database(migrated.dataSource);
    const claims = new MessageClaims(service);
    const look = async () =>
      claims.work.exists(await database.value(`SELECT ${claims.work.expression}`, [...claims.work.values()]));
    await database.query(`UPDATE scheduler_state SET running = TRUE`);
    await database.query(`
      INSERT INTO messages (id, recipient_phone, content, next_attempt_at, claimed_by, claim_fence) VALUES
        (9007199254740993, '+905551111111', 'text', NULL, NULL, NULL), (9007199254740995, '+905551111111', 'text', NULL, 987, 1),
        (9007199254740997, '+905551111111', 'text', '2025-01-01', NULL, NULL), (-9007199254740993, '+905551111111', 'text', NULL, NULL, NULL)`);
    expect(await look()).toBe(false);
    expect(claims.work.trouble).toMatch(/such as 9007199254740993, are never sent/);
    await database.query(
      `INSERT INTO messages (id, recipient_phone, content) VALUES (9007199254740991, '+905551111111', 'good')`,
    );
    expect(await look()).toBe(true);
    const job = await openJob(database, 10);
    await claims.open(job);
    expect((await claims.claim(job, 10)).messages.map(({ id }) => id)).toEqual([9007199254740991]);
    expect(await claims.claimProbe(job, 1)).toBeNull();
    expect((await claims.takeStrayFresh(null)).taken).toEqual([]);
    const { messages, next } = await new MessageLists(service).list(null, 0, 1);
    expect([messages.map(({ id }) => id), next]).toEqual([[9007199254740991], null]);
    await database.query(`DELETE FROM messages WHERE id NOT BETWEEN -9007199254740991 AND 9007199254740991`);
    await look();
    expect(claims.work.trouble).toBeNull();
  });
});
