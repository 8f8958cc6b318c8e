import { Database } from '../src/database.js';
import { createDataSource } from '../src/data-source.js';
import { messageHash } from '../src/dispatch/idempotency-key.js';
import { hashOf } from '../src/messages/claim-conditions.js';
import { MessageClaims, type ClaimedMessage } from '../src/messages/message-claims.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import { openJob } from './support/open-job.js';
import type { TestDatabase } from './support/test-database.js';

/** `created_at` of the last ones: as after an adoption, and at the ends of what PostgreSQL stores. */
const ROWS = `
  INSERT INTO messages (id, recipient_phone, content, created_at) VALUES
    (1, '+905551111111', 'Çok güzel 😀', '2026-03-29 01:59:59.123456+00'), (2, '+905551111111', 'text', '2026-07-01'),
    (3, '+905551111111', 'text', NULL), (4, '+905551111111', 'text', 'infinity'),
    (5, '+905551111111', 'text', '-infinity'), (6, '+905551111111', 'text', '4713-01-01 BC')`;

const hashes = (messages: readonly ClaimedMessage[]) =>
  messages.toSorted((a, b) => a.id - b.id).map((message) => `${message.id} ${messageHash(message)}`);

/** PostgreSQL makes out the same hashes as the service does of what it claims. */
const expectOneHash = async (other: MigratedDatabase) => {
  const { id } = await openJob(other.database, 100);
  const by = new MessageClaims(new Database(other.dataSource));
  await by.open({ id, fence: 1 });
  const { messages } = await by.claim({ id, fence: 1 }, 100);
  const rows = await other.database.query<{ id: number; hash: string }>(
    `SELECT id, ${hashOf('messages')} AS hash FROM messages ORDER BY id`,
  );
  expect(rows.map((row) => `${row.id} ${row.hash}`)).toEqual(hashes(messages));
};

describe('the hash of a message', () => {
  let migrated: MigratedDatabase;
  let database: TestDatabase;
  let claims: MessageClaims;

  beforeAll(async () => {
    migrated = await createMigratedDatabase();
    ({ database } = migrated);
    await database.query(`UPDATE scheduler_state SET running = TRUE`);
    claims = new MessageClaims(new Database(migrated.dataSource));
  });
  beforeEach(() => database.query('TRUNCATE messages, dispatch_jobs RESTART IDENTITY'));
  afterAll(() => migrated.drop());

  const claimAll = async (by = claims): Promise<{ id: number; fence: number; hashes: string[] }> => {
    const id = await database.value<number>(
      `INSERT INTO dispatch_jobs (due_at, state, fence, budget) VALUES (now(), 'running', 1, 100) RETURNING id`,
    );
    await by.open({ id, fence: 1 });
    return { id, fence: 1, hashes: hashes((await by.claim({ id, fence: 1 }, 100)).messages) };
  };

  it.each(['UTF8', 'LATIN5', 'SQL_ASCII'])(
    'is the same in PostgreSQL, in a database of encoding %s',
    async (encoding) => {
      const other = await createMigratedDatabase(
        undefined,
        `ENCODING '${encoding}' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
      );
      await other.database.query(`UPDATE scheduler_state SET running = TRUE`);
      await other.database.query(encoding === 'LATIN5' ? ROWS.replace(' 😀', '') : ROWS);
      await expectOneHash(other);
      await other.drop();
    },
  );

  it('is the same in PostgreSQL where the columns are of a fixed length', async () => {
    const narrow = await createMigratedDatabase();
    await narrow.database.query(
      `ALTER TABLE messages ALTER COLUMN recipient_phone TYPE CHAR(20), ALTER COLUMN content TYPE CHAR(170)`,
    );
    await narrow.database.query(ROWS);
    await narrow.database.query(`UPDATE scheduler_state SET running = TRUE`);
    await expectOneHash(narrow);
    await narrow.drop();
  });

  it('is the same for every claim of it, whatever the settings of the session, and when another owner takes it over', async () => {
    await database.query(ROWS);
    const job = await claimAll();
    expect(job.hashes).toHaveLength(6);
    await claims.release(job);
    const dataSource = createDataSource(database.url);
    dataSource.dispatchPool.on('connect', (client) => {
      void client.query(`SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'German'; SET extra_float_digits = 0`);
    });
    await dataSource.initialize();
    const elsewhere = new MessageClaims(new Database(dataSource));
    expect((await claimAll(elsewhere)).hashes).toEqual(job.hashes);
    await database.query(`UPDATE dispatch_jobs SET fence = 2`);
    expect(hashes((await elsewhere.takeOver({ id: 2, fence: 2 })).taken)).toEqual(job.hashes);
    await database.query(`UPDATE dispatch_jobs SET state = 'done'`);
    expect(hashes((await claims.takeStrayFresh(null)).taken)).toEqual(job.hashes);
    await dataSource.destroy();
  });

  it('is another one for another message of the same id, also when its text is the same', async () => {
    const insert = `INSERT INTO messages (id, recipient_phone, content) SELECT n, '+905551111111', $1
                    FROM generate_series(1, 3) n`;
    await database.query(insert, ['text']);
    const before = await claimAll();
    await database.query('TRUNCATE messages');
    await database.query(insert, ['text']);
    const rewound = await claimAll();
    await database.query('TRUNCATE messages');
    await database.query(insert, ['another text']);
    const another = await claimAll();
    expect(new Set([...before.hashes, ...rewound.hashes, ...another.hashes]).size).toBe(9);
  });
});
