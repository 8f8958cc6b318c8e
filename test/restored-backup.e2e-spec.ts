import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { POSTGRES_VERSIONS, programsOf } from './support/postgres-versions.js';
import { PostgresServer } from './support/postgres-server.js';
import { Receiver, type Received } from './support/receiver.js';
import { RedisServer } from './support/redis-server.js';
import { TestDatabase } from './support/test-database.js';

const run = promisify(execFile);
const VERSION = POSTGRES_VERSIONS.find(
  (version) => version !== undefined && existsSync(join(programsOf(version) ?? '', 'pg_dump')),
);

jest.setTimeout(150_000);

/** The service under a backup that pg_dump takes in mid-sending, where Debian's programs are installed. */
(VERSION === undefined ? describe.skip : describe)('a backup that was taken in mid-sending', () => {
  let folder: string;
  let server: PostgresServer;
  let redis: RedisServer;
  let receiver: Receiver;
  let database: TestDatabase;
  let clone: TestDatabase;
  const processes: DispatcherProcess[] = [];
  const dump = () => join(folder, 'backup.dump');

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'restored-backup-'));
    server = await PostgresServer.started({ max_connections: '60' }, programsOf(VERSION));
    redis = await RedisServer.started();
    receiver = await Receiver.start();
    database = await TestDatabase.create(server.url);
    clone = await TestDatabase.create(server.url);
  });
  afterAll(async () => {
    receiver.letGo();
    await Promise.all(processes.map((one) => one.dispose()));
    await database.drop();
    await clone.drop();
    await redis.remove();
    await server.remove();
    await receiver.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const start = async (on: TestDatabase) => {
    const app = await DispatcherProcess.start({
      env: { APP_DB_URL: on.url, APP_REDIS_ADDR: redis.address },
      live: { rate_limit: 10, scheduler_interval: 1, webhook_url: receiver.url, webhook_timeout: 60 },
    });
    processes.push(app);
    return app;
  };
  const insert = async (what: string, count: number, on = database) =>
    await on.query(
      `INSERT INTO messages (recipient_phone, content) SELECT '+90555' || lpad(n::text, 7, '0'), $1 || ' ' || n
       FROM generate_series(1, $2::int) n`,
      [what, count],
    );
  const requestsOf = (what: string) => receiver.ledger.filter(({ content }) => content.startsWith(`${what} `));
  const keysOf = (what: string) => new Set(requestsOf(what).map(({ headers }) => headers['idempotency-key']));
  it('marks nothing that was not sent: in another database beside the living one, and in place under running replicas', async () => {
    const held: Record<string, (() => void)[]> = {};
    let keeps: string[] = [];
    receiver.behave = (received, response) => {
      const respond = () => {
        response.writeHead(202, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ messageId: idFor(received.content) }));
      };
      const what = kindOf(received);
      if (keeps.includes(what)) (held[what] ??= []).push(respond);
      else respond();
    };
    const letGo = (what: string) => {
      keeps = keeps.filter((one) => one !== what);
      for (const respond of held[what] ?? []) respond();
    };

    const app = await start(database);
    await insert('old', 5);
    await allSent(database);
    keeps = ['mid', 'lost', 'new'];
    await insert('mid', 5);
    await eventually(() => expect(requestsOf('mid')).toHaveLength(5));
    await run(program('pg_dump'), ['--format=custom', `--file=${dump()}`, database.url]);
    letGo('mid');
    await allSent(database);

    // (a) A clone beside the living database, with the same installation, the same Redis and the same provider.
    await run(program('pg_restore'), [`--dbname=${clone.url}`, dump()]);
    await insert('living', 5);
    await insert('clone', 5, clone);
    const beside = await start(clone);
    await allSent(database);
    await allSent(clone);
    await Promise.all([expectTrueMarks(database), expectTrueMarks(clone)]);
    expect([requestsOf('living').length, requestsOf('clone').length]).toEqual([5, 5]);
    expect(new Set([...keysOf('living'), ...keysOf('clone')]).size).toBe(10);
    // Those that were in flight are the same messages; what is sent again has the same key.
    expect(keysOf('mid').size).toBe(5);
    expect(await beside.end()).toBe(0);

    // (b) In place, while five requests of a job are in flight; other messages get the ids and a job the number that are lost.
    const other = await start(database);
    await insert('lost', 5);
    await eventually(() => expect(requestsOf('lost')).toHaveLength(5));
    const [job] = await database.query<{ id: number; owner: string; lost: number }>(
      `SELECT job.id, owner, (SELECT min(id) FROM messages WHERE claimed_by = job.id) AS lost
       FROM dispatch_jobs job WHERE state = 'running' AND EXISTS (SELECT FROM messages WHERE claimed_by = job.id)`,
    );
    const name = new URL(database.url).pathname.slice(1);
    await server.query(`CREATE DATABASE restored`);
    const url = database.url.replace(name, 'restored');
    await run(program('pg_restore'), [`--dbname=${url}`, dump()]);
    await run(program('psql'), [
      url,
      '--command',
      `SELECT setval('messages_id_seq', ${job?.lost} - 1);
       INSERT INTO messages (recipient_phone, content) SELECT '+90555' || lpad(n::text, 7, '0'), 'new ' || n FROM generate_series(1, 5) n;
       SELECT setval(pg_get_serial_sequence('dispatch_jobs', 'id'), ${job?.id} - 1)`,
    ]);
    await server.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS FALSE`);
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
    await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await server.query(`ALTER DATABASE restored RENAME TO ${name}`);
    const [owner, survivor] = [app, other].toSorted((a) => (job?.owner.includes(`/${a.child.pid}/`) === true ? -1 : 1));
    await eventually(() => expect(requestsOf('new')).toHaveLength(5), 60_000);
    letGo('lost');
    await owner?.logged(
      new RegExp(`5 outcomes (were refused|had been written before)|job ${job?.id}: 5 accepted`),
      30_000,
    );
    expect(await database.value(`SELECT count(*) FROM messages WHERE content LIKE 'new %' AND sent_status`)).toBe(0);
    expect(await database.value('SELECT count(*) FROM unwritten_outcomes')).toBe(0);
    letGo('new');
    await allSent(database);
    await expectTrueMarks(database);
    expect(requestsOf('new')).toHaveLength(5);
    expect(new Set([...keysOf('lost'), ...keysOf('new')]).size).toBe(10);
    expect(keysOf('mid').size).toBe(5);
    expect((await survivor?.get('/health/ready'))?.status).toBe(200);
  });
});

const program = (name: string) => join(programsOf(VERSION) ?? '', name);

const allSent = async (on: TestDatabase) =>
  await eventually(async () => {
    expect(await on.query('SELECT id, content FROM messages WHERE NOT sent_status')).toEqual([]);
  }, 60_000);
/** What is marked was delivered: the provider's id is that of a request for this very message. */
const expectTrueMarks = async (on: TestDatabase) => {
  const rows = await on.query<{ content: string; message_id: string | null }>(
    'SELECT content, message_id FROM messages WHERE sent_status ORDER BY id',
  );
  expect(rows.filter(({ content, message_id }) => message_id !== idFor(content))).toEqual([]);
};

const kindOf = ({ content }: Received) => content.split(' ')[0] ?? '';
const idFor = (content: string) => `provider-${content.replace(' ', '-')}`;
