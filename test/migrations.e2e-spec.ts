import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createDataSource, MIGRATIONS } from '../src/data-source.js';
import { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { SEED } from './support/seed-table.js';
import { Stage } from './support/stage.js';

jest.setTimeout(40_000);

/** What `npm run migrate` runs. */
async function migrate(url: string) {
  return await promisify(execFile)(process.execPath, ['dist/src/migrate.js'], {
    env: { PATH: process.env['PATH'], APP_ENV: 'production', APP_DB_URL: url, LOG_ENV: 'production' },
  });
}

describe('the database schema', () => {
  let stage: Stage;
  beforeEach(async () => (stage = await Stage.set()));
  afterEach(() => stage.strike());

  const ran = async () =>
    await stage.database.query<{ name: string }>('SELECT name FROM message_dispatcher_migrations ORDER BY id');

  it('is made once when several replicas start at once on an empty database, and they send each message once', async () => {
    await Promise.all([1, 2, 3].map(() => stage.replica({ rate_limit: 10 })));
    expect((await ran()).map(({ name }) => name)).toEqual(MIGRATIONS.map(({ name }) => name));
    await stage.database.insertMessages(5);
    await eventually(async () => expect(await stage.sentCount()).toBe(5));
    expect(stage.receiver.ledger).toHaveLength(5);
  });

  it("adopts a database that has the seed's table: its rows are sent, its sent ones stay, a bare INSERT works", async () => {
    await stage.database.query(SEED);
    await stage.database.insertMessages(2);
    await stage.database.query(
      `INSERT INTO messages (recipient_phone, content, sent_status, sent_at)
       VALUES ('+905551111111', 'sent long ago', TRUE, '2020-01-01 12:00:00')`,
    );
    const app = await stage.replica({ rate_limit: 10 });
    await eventually(async () => expect(await stage.sentCount()).toBe(3));
    await stage.database.query(`INSERT INTO messages (recipient_phone, content) VALUES ('+905552222222', 'by hand')`);
    await eventually(async () => expect(await stage.sentCount()).toBe(4));

    expect(stage.receiver.ledger.map(({ content }) => content)).toEqual(['text 1', 'text 2', 'by hand']);
    const listed = (await app.get('/sent')).json<{ id: number; sent_at: string }[]>();
    expect(listed.map(({ id }) => id)).toEqual([4, 2, 1, 3]);
    expect(listed.at(-1)?.sent_at).toBe('2020-01-01T12:00:00.000Z');
    expect(
      await stage.database.value(
        `SELECT data_type FROM information_schema.columns WHERE table_name = 'messages' AND column_name = 'id'`,
      ),
    ).toBe('bigint');
    await stage.database.query(`SELECT setval(pg_get_serial_sequence('messages', 'id'), 3000000000)`);
    expect(await stage.database.insertMessages(1)).toEqual([3_000_000_001]);
  });

  it('holds the documented limits of a message', async () => {
    await migrate(stage.database.url);
    const insert = (phone: string, content: string) =>
      stage.database.query('INSERT INTO messages (recipient_phone, content) VALUES ($1, $2)', [phone, content]);
    await insert('+90', '😀'.repeat(160));
    await expect(insert('+90', '😀'.repeat(161))).rejects.toMatchObject({ code: '23514' });
    await expect(insert('+90', '')).rejects.toMatchObject({ code: '23514' });
    await expect(insert('', 'x')).rejects.toMatchObject({ code: '23514' });
    expect(
      await stage.database.value(`SELECT indexdef FROM pg_indexes WHERE indexname = 'idx_messages_unsent'`),
    ).toMatch(/\(id\) WHERE \(sent_status = false\)$/);
  });

  it('is taken back and made again without the loss of a message', async () => {
    const dataSource = await createDataSource(stage.database.url).initialize();
    await dataSource.runMigrations();
    await stage.database.insertMessages(3);
    for (const { name } of MIGRATIONS.toReversed()) {
      await dataSource.undoLastMigration();
      expect((await ran()).map((row) => row.name)).not.toContain(name);
    }
    expect(await stage.database.value('SELECT count(*) FROM messages')).toBe(3);
    await dataSource.runMigrations();
    await dataSource.destroy();
    await stage.replica({ rate_limit: 3 });
    await eventually(async () => expect(await stage.sentCount()).toBe(3));
  });

  it('is never touched in production: one clear line, not ready, no send, no crash; and it starts by itself once migrated', async () => {
    await stage.database.query(SEED);
    await stage.database.insertMessages(1);
    const app = await DispatcherProcess.start({
      env: { APP_ENV: 'production', APP_AUTH: 'none', APP_DB_URL: stage.database.url },
      live: stage.live(),
    });
    const line = await app.logged(/schema is missing/);
    expect([line['log.level'], line.message]).toEqual(['error', expect.stringContaining('npm run migrate')]);
    const ready = await app.get('/health/ready');
    expect(ready.status).toBe(503);
    expect(ready.json()).toMatchObject({
      error: { schema: { status: 'down', message: expect.stringContaining('npm run migrate') as unknown } },
    });
    expect((await app.get('/health')).status).toBe(200);
    for (const [method, path] of [
      ['POST', '/start'],
      ['POST', '/stop'],
      ['GET', '/sent'],
      ['GET', '/messages/1'],
      ['GET', '/scheduler'],
      ['POST', '/messages'],
    ] as const) {
      const body = path === '/messages' ? { recipient_phone: '+905551111111', content: 'x' } : undefined;
      const reply = await app.request(method, path, body);
      expect([path, reply.status, reply.json<{ code: string }>().code]).toEqual([path, 503, 'database.schema']);
    }
    expect(await stage.database.value(`SELECT to_regclass('message_dispatcher_migrations')`)).toBeNull();
    expect(stage.receiver.ledger).toEqual([]);

    const { stdout, stderr } = await migrate(stage.database.url);
    expect([stdout, stderr]).toEqual([expect.stringContaining('the schema is up to date'), '']);
    await eventually(async () => expect(await stage.sentCount()).toBe(1), 10_000);
    expect((await app.get('/health/ready')).status).toBe(200);
    expect(app.lines.filter(({ message }) => /schema is missing/.test(message))).toHaveLength(1);
    await app.dispose();
  });

  it('that is older than the service counts as not ready in production, and a second migration changes nothing', async () => {
    await migrate(stage.database.url);
    await migrate(stage.database.url);
    expect(await ran()).toHaveLength(MIGRATIONS.length);
    await stage.database.query(
      'DELETE FROM message_dispatcher_migrations WHERE id = (SELECT max(id) FROM message_dispatcher_migrations)',
    );
    const app = await DispatcherProcess.start({
      env: { APP_ENV: 'production', APP_AUTH: 'none', APP_DB_URL: stage.database.url },
      live: stage.live(),
    });
    expect((await app.logged(/schema is old/)).message).toContain('1 migration');
    expect((await app.get('/health/ready')).status).toBe(503);
    await app.dispose();
  });

  it('cannot be migrated without APP_DB_URL, and says so in one line with exit code 1', async () => {
    await expect(migrate('')).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^[^\n]*APP_DB_URL[^\n]*\n$/) as unknown,
      stderr: '',
    });
  });
});
