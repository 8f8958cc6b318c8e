import { DispatcherProcess } from './support/dispatcher-process.js';
import { EtcdServer } from './support/etcd-server.js';
import { eventually } from './support/eventually.js';
import { Outage } from './support/outage.js';
import { Receiver } from './support/receiver.js';
import { Stage } from './support/stage.js';
import { TestDatabase } from './support/test-database.js';

jest.setTimeout(60_000);

const LASTS_MS = 6_000;

describe('an etcd that', () => {
  let etcd: EtcdServer;
  let database: TestDatabase;
  let receiver: Receiver;
  let app: DispatcherProcess;

  beforeAll(async () => {
    database = await TestDatabase.create();
    receiver = await Receiver.start();
    etcd = await EtcdServer.started();
    await etcd.hands.put('rate_limit', '3');
    app = await DispatcherProcess.start({
      env: { APP_DB_URL: database.url, APP_REMOTE_ETCD_ENDPOINTS: etcd.url },
      live: { rate_limit: 1, scheduler_interval: 1, webhook_url: receiver.url },
    });
  });
  afterAll(async () => {
    await app.dispose();
    await receiver.stop();
    await etcd.remove();
    await database.drop();
  });

  /** How many messages the jobs of a backlog of so many make at a time. */
  const budgets = async (messages: number) => {
    receiver.ledger.length = 0;
    await database.query('DELETE FROM dispatch_jobs WHERE state = $1', ['done']);
    await database.insertMessages(messages);
    return await eventually(async () => {
      const jobs = await database.query<{ sent: number }>(
        `SELECT sent FROM dispatch_jobs WHERE state = 'done' AND sent > 0 ORDER BY id`,
      );
      const sent = jobs.map((job) => job.sent);
      expect(sent.reduce((sum, count) => sum + count, 0)).toBe(messages);
      expect(receiver.ledger).toHaveLength(messages);
      return sent;
    }, 10_000);
  };

  it.each<[string, () => unknown, () => unknown, string]>([
    ['is stopped and started again', () => etcd.kill(), () => etcd.start(), '2'],
    ['answers nobody for a while', () => etcd.pause(), () => etcd.resume(), '3'],
  ])('%s leaves its values in force, and is heard when it is back', async (_name, cause, cure, rateLimit) => {
    await eventually(async () => expect((await app.get('/config')).text).toMatch(/"source":"etcd".*"fleet":{/), 10_000);
    const outage = new Outage(app);
    const before = await eventually(async () => {
      const { settings } = (await app.get('/config')).json<{ settings: unknown }>();
      // The replica that brought them shows its own time until its next look at what PostgreSQL noted.
      const [noted] = await database.query<{ at: number }>(
        `SELECT round(extract(epoch FROM set_at) * 1000)::float8 AS at FROM fleet_settings WHERE key = 'rate_limit'`,
      );
      expect(JSON.stringify(settings)).toContain(new Date(noted?.at ?? Number.NaN).toISOString());
      return settings;
    });
    await cause();
    const [first] = await budgets(12);
    expect(first).toBe(rateLimit === '2' ? 3 : 2);
    await outage.lasts(LASTS_MS);
    expect((await app.get('/config')).json<{ settings: unknown }>().settings).toEqual(before);
    await outage.ends(
      async () => {
        await cure();
        await etcd.hands.put('rate_limit', rateLimit);
      },
      async () => {
        const { text } = await app.get('/config');
        expect(text).toMatch(new RegExp(`"rate_limit"[^}]*"value":${rateLimit}\\b`));
      },
    );
    expect((await budgets(6))[0]).toBe(Number(rateLimit));
  });
});

const intervalSeen = async (app: DispatcherProcess) =>
  (await app.get('/scheduler')).json<{ interval_seconds: number }>().interval_seconds;

describe('a replica that starts while etcd answers nobody', () => {
  let etcd: EtcdServer;
  let stage: Stage;

  beforeAll(async () => {
    etcd = await EtcdServer.started();
    stage = await Stage.set();
  });
  afterAll(async () => {
    await stage.strike();
    await etcd.remove();
  });

  it('imposes neither its interval nor its queue capacity on the fleet, until it has read them', async () => {
    const env = { APP_REMOTE_ETCD_ENDPOINTS: etcd.url };
    await etcd.hands.put('scheduler_queue_capacity', '50');
    stage.receiver.behave = stage.receiver.hold;
    const first = await stage.replica({ webhook_timeout: 60 }, env);
    await stage.database.insertMessages(10);
    await eventually(async () => expect((await stage.schedule()).waiting).toBeGreaterThanOrEqual(4), 10_000);
    await etcd.hands.put('scheduler_interval', '3600');
    await eventually(async () => expect(await intervalSeen(first)).toBe(3600));

    etcd.pause();
    const fallbacks = { scheduler_interval: 1, scheduler_queue_capacity: 1, scheduler_workers: 2 };
    const second = await stage.replica({ ...fallbacks, webhook_timeout: 60 }, env);
    const states = async () => (await stage.jobs()).map(({ state }) => state);
    await second.logged(/^sending runs/);
    // Its own file would let it run a job, too.
    expect((await states()).filter((state) => state === 'running')).toHaveLength(1);
    expect(await states()).not.toContain('dropped');
    expect(await intervalSeen(second)).toBe(3600);

    etcd.resume();
    await eventually(async () => {
      expect((await second.get('/config')).json()).toMatchObject({ complete: true });
    }, 20_000);
    await first.dispose();
    await etcd.hands.put('scheduler_interval', '1800');
    await eventually(async () => expect(await intervalSeen(second)).toBe(1800), 10_000);
    expect(await states()).not.toContain('dropped');
  });
});
