import { rmSync } from 'node:fs';
import { makeCertificates } from './support/certificates.js';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accept } from './support/receiver.js';
import { keptReceipts, receiptsIn } from './support/kept-receipts.js';
import { RedisCluster } from './support/redis-cluster.js';
import { RedisSentinel } from './support/redis-sentinel.js';
import { RedisServer } from './support/redis-server.js';
import { serverPort } from './support/server-port.js';
import { Stage } from './support/stage.js';
import { TcpProxy } from './support/tcp-proxy.js';

jest.setTimeout(90_000);

/** Each message went out once and is marked, with the provider's id. */
async function allSentOnce({ database, receiver }: Stage, ids: readonly number[], withinMs: number) {
  await eventually(async () => {
    const sent = await database.query(
      `SELECT id FROM messages WHERE id = ANY ($1) AND sent_status AND attempts = 1 AND message_id IS NOT NULL`,
      [ids],
    );
    expect(sent).toHaveLength(ids.length);
  }, withinMs);
  const keys = receiver.ledger.map(({ headers }) => headers['idempotency-key']);
  expect(keys).toHaveLength(ids.length);
  expect(new Set(keys).size).toBe(ids.length);
}

/** What a library prints by itself would not be a line of the log. */
const onlyLogged = (app: DispatcherProcess) => expect(app.printed).toHaveLength(app.lines.length);

/** The time of the last slot is no older than two slots. */
function expectFresh(time: string | null) {
  expect(Date.now() - Date.parse(time ?? '')).toBeLessThan(2_500);
}

describe('Redis with Sentinel', () => {
  let stage: Stage;
  let group: RedisSentinel;
  let app: DispatcherProcess;

  beforeAll(async () => {
    stage = await Stage.set();
    group = await RedisSentinel.prepared();
  });
  afterAll(async () => {
    await stage.strike();
    await group.remove();
  });
  beforeEach(() => void (stage.receiver.ledger.length = 0));

  const keptByMaster = async (ids: readonly number[]) => {
    await eventually(async () => {
      expect(await receiptsIn(group.hands)).toEqual(expect.arrayContaining([...ids]));
      expectFresh(await group.hands.get('scheduler_last_attempt_time'));
    });
  };

  it('is not needed for the start, and is found when it appears', async () => {
    app = await stage.replica({ rate_limit: 5 }, group.env);
    await allSentOnce(stage, await stage.database.insertMessages(5), 10_000);
    await group.start();
    await app.logged(/^Redis is back/);
    expect(app.said(/Redis is out of reach/)).toHaveLength(1);
    stage.receiver.ledger.length = 0;
    const ids = await stage.database.insertMessages(5);
    await allSentOnce(stage, ids, 10_000);
    await keptByMaster(ids);
  });

  it('fails over to the replica during sending: nothing is delayed, lost or doubled, and receipts go to the new master', async () => {
    const before = app.lines.length;
    const newestJob = await stage.database.value<number>('SELECT max(id) FROM dispatch_jobs');
    const ids = await stage.database.insertMessages(60);
    await eventually(() => expect(stage.receiver.ledger.length).toBeGreaterThanOrEqual(10), 10_000);
    const killedAt = performance.now();
    await group.killSentinel();
    await group.killMaster();
    await group.failedOver();
    await eventually(
      () => expect(app.lines.slice(before).map(({ message }) => message)).toContain('Redis is back'),
      15_000,
    );
    process.stderr.write(
      `Sentinel failover: receipts kept again after ${Math.round(performance.now() - killedAt)} ms\n`,
    );
    await allSentOnce(stage, ids, 15_000);
    const jobs = (await stage.jobs()).filter(({ id, attempts }) => id > newestJob && attempts > 0);
    // The new master takes 3 s, and a slot comes every second: who waited for it would end one of its jobs later.
    expect(Math.max(...jobs.map(({ finishedAt, dueAt }) => finishedAt - dueAt))).toBeLessThan(2_000);
    const lines = app.lines.slice(before).map(({ message }) => message);
    expect(lines.filter((line) => line.startsWith('Redis is out of reach'))).toHaveLength(1);
    expect(lines.filter((line) => line === 'Redis is back')).toHaveLength(1);
    stage.receiver.ledger.length = 0;
    const later = await stage.database.insertMessages(5);
    await allSentOnce(stage, later, 10_000);
    await keptByMaster([...ids.slice(0, 5), ...later]);
    onlyLogged(app);
  });
});

describe('a Redis Cluster', () => {
  let stage: Stage;
  let way: TcpProxy;
  let cluster: RedisCluster;
  let app: DispatcherProcess;
  let env: Readonly<Record<string, string>>;

  beforeAll(async () => {
    stage = await Stage.set();
    cluster = await RedisCluster.started();
    way = await TcpProxy.to(stage.database.url);
    env = { APP_DB_URL: way.url, APP_REDIS_ADDR: cluster.address };
    app = await stage.replica({ rate_limit: 5 }, env);
  });
  afterAll(async () => {
    await stage.strike();
    await way.stop();
    await cluster.remove();
  });
  beforeEach(() => void (stage.receiver.ledger.length = 0));

  const receiptsOfCluster = async () => {
    const client = cluster.connect();
    return await keptReceipts(client, await cluster.keys('*')).finally(() => client.disconnect());
  };
  const keptAgain = async (withinMs: number) => {
    await eventually(async () => {
      stage.receiver.ledger.length = 0;
      const ids = await stage.database.insertMessages(5);
      await allSentOnce(stage, ids, 10_000);
      expect(await receiptsOfCluster()).toEqual(expect.arrayContaining(ids));
      const client = cluster.connect();
      expectFresh(await client.get('scheduler_last_attempt_time').finally(() => client.disconnect()));
    }, withinMs);
  };

  it('keeps the receipts and the time of the last slot', async () => {
    await keptAgain(5_000);
    expect(app.said(/receipts are not being kept|Redis is out of reach/)).toEqual([]);
  });

  it('that is gone delays, loses and doubles nothing, and is used again when it is back', async () => {
    const ids = await stage.database.insertMessages(30);
    await eventually(() => expect(stage.receiver.ledger.length).toBeGreaterThanOrEqual(5), 10_000);
    await cluster.kill();
    await allSentOnce(stage, ids, 10_000);
    await app.logged(/^Redis is out of reach/);
    await cluster.start();
    await app.logged(/^Redis is back/);
    await keptAgain(15_000);
    expect(app.said(/^Redis is out of reach/)).toHaveLength(1);
    expect(app.said(/^Redis is back/)).toHaveLength(1);
    onlyLogged(app);
  });

  it('tells the successor of a replica that was killed what had been sent', async () => {
    const responses: (() => void)[] = [];
    // The first two open the window for the other three at once.
    stage.receiver.behave = (received, response) =>
      stage.receiver.ledger.length <= 2
        ? accept(received, response)
        : void responses.push(() => void accept(received, response));
    const ids = await stage.database.insertMessages(5);
    const sent = async () =>
      await stage.database.query(`SELECT id FROM messages WHERE id = ANY ($1) AND sent_status`, [ids]);
    await eventually(async () => expect(await sent()).toHaveLength(2));
    await eventually(() => expect(responses).toHaveLength(3));
    way.cut();
    for (const respond of responses) respond();
    await eventually(async () => expect(await receiptsOfCluster()).toEqual(expect.arrayContaining(ids)));
    await app.end('SIGKILL');
    way.mend();
    stage.receiver.behave = accept;
    const successor = await stage.successor(app, env);
    await successor.logged(/took over 3 messages of a replica that went away: 3 were sent, 0 are uncertain/, 25_000);
    await allSentOnce(stage, ids, 5_000);
  });
});

describe('Redis over TLS', () => {
  it('keeps the receipts', async () => {
    const { folder, ca, cert, key } = makeCertificates();
    const port = await serverPort();
    const files = ['--tls-ca-cert-file', ca, '--tls-cert-file', cert, '--tls-key-file', key];
    const redis = await RedisServer.started(['--tls-port', String(port), ...files, '--tls-auth-clients', 'no']);
    const stage = await Stage.set();
    try {
      const env = { APP_REDIS_ADDR: `rediss://127.0.0.1:${port}`, NODE_EXTRA_CA_CERTS: ca };
      const app = await stage.replica({ rate_limit: 5 }, env);
      const ids = await stage.database.insertMessages(5);
      await allSentOnce(stage, ids, 10_000);
      await eventually(async () => expect(await receiptsIn(redis.hands)).toEqual(expect.arrayContaining(ids)));
      expect(app.said(/Redis is out of reach/)).toEqual([]);
    } finally {
      await stage.strike();
      await redis.remove();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
