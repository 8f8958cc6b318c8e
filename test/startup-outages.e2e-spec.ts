import { DispatcherProcess } from './support/dispatcher-process.js';
import { EtcdServer } from './support/etcd-server.js';
import { eventually } from './support/eventually.js';
import { RedisServer } from './support/redis-server.js';
import { Stage } from './support/stage.js';
import { TcpProxy } from './support/tcp-proxy.js';

jest.setTimeout(60_000);

/** What was said of each try to reach PostgreSQL: the pause before the next one, in seconds. */
const pauses = (app: DispatcherProcess): number[] =>
  app.lines.flatMap(({ message }) => /out of reach.*trying again in (\d+) s/.exec(message)?.[1] ?? []).map(Number);

describe('at the start, while something is out of reach', () => {
  let stage: Stage;
  /** Nobody listens at its database's address, from the first test on: it takes 31 s to give up. */
  let hopeless: DispatcherProcess;
  /** What it took to give up. */
  let hopelessMs: Promise<number>;

  beforeAll(async () => {
    stage = await Stage.set();
    const since = performance.now();
    hopeless = await DispatcherProcess.start({
      env: { APP_DB_URL: 'postgres://someone:hunter2@127.0.0.1:1/x' },
      listening: false,
    });
    hopelessMs = hopeless.exitCode().then(() => performance.now() - since);
  });
  afterAll(async () => {
    await hopeless.dispose();
    await stage.strike();
  });

  it('PostgreSQL is tried again after 1 s, 2 s and so on, the password masked, and the service starts when it comes', async () => {
    const proxy = await TcpProxy.to(stage.database.url);
    proxy.cut();
    const app = await DispatcherProcess.start({
      env: { APP_DB_URL: proxy.url },
      live: stage.live(),
      listening: false,
    });
    await eventually(() => expect(pauses(app)).toEqual([1, 2]), 20_000);
    proxy.mend();
    await app.listening();
    expect(pauses(app)).toEqual([1, 2]);
    expect((await app.get('/health/ready')).status).toBe(200);
    const { password, hostname, port } = new URL(proxy.url);
    const [first] = app.lines.filter(({ message }) => message.includes('out of reach'));
    expect(first?.['log.level']).toBe('warn');
    expect(first?.message).toContain(`postgres:***@${hostname}:${port}/`);
    expect(app.printed.join('\n')).not.toContain(password);
    await app.dispose();
    await proxy.stop();
  });

  it('a signal ends the wait for PostgreSQL at once, with exit code 0', async () => {
    const proxy = await TcpProxy.to(stage.database.url);
    proxy.cut();
    const app = await DispatcherProcess.start({ env: { APP_DB_URL: proxy.url }, listening: false });
    await eventually(() => expect(pauses(app)).toContain(1), 20_000);
    expect(await app.end('SIGTERM')).toBe(0);
    await app.dispose();
    await proxy.stop();
  });

  it('Redis is done without, the log says so, messages go out, and it is picked up when it comes', async () => {
    const redis = await RedisServer.prepared();
    const app = await stage.replica({}, { APP_REDIS_ADDR: redis.address });
    expect((await app.logged(/Redis is out of reach/))['log.level']).toBe('warn');
    const ofRedis = async () => (await app.get('/health/ready')).json<{ details: { redis: object } }>().details.redis;
    expect(await ofRedis()).toEqual({ status: 'up', stale: true });
    const sentBefore = await stage.sentCount();
    await stage.database.insertMessages(1);
    await eventually(async () => expect(await stage.sentCount()).toBe(sentBefore + 1));

    await redis.start();
    await app.logged(/Redis is back/);
    await eventually(async () => expect(await ofRedis()).toEqual({ status: 'up' }));
    await eventually(async () => expect(await redis.hands.keys('*')).not.toEqual([]));
    expect(app.lines.filter(({ message }) => /Redis is out of reach/.test(message))).toHaveLength(1);
    await app.dispose();
    await redis.remove();
  });

  it('etcd is done without, the log says so, and its values count when it comes', async () => {
    const etcd = await EtcdServer.prepared();
    const app = await stage.replica({}, { APP_REMOTE_ETCD_ENDPOINTS: etcd.url });
    await eventually(() => {
      expect(app.lines.filter((line) => line['log.level'] === 'warn' && /etcd/.test(line.message))).not.toEqual([]);
    });
    const rateLimit = async () => (await app.get('/scheduler')).json<{ rate_limit: number }>().rate_limit;
    expect(await rateLimit()).toBe(1);
    await etcd.start();
    await etcd.hands.put('rate_limit', '7');
    await eventually(async () => expect(await rateLimit()).toBe(7), 20_000);
    await app.dispose();
    await etcd.remove();
  });

  it('PostgreSQL is given up after tries at 1, 2, 4, 8 and 16 s: one line, exit code 1, no password, no stack', async () => {
    expect(await hopeless.exitCode()).toBe(1);
    expect(await hopelessMs).toBeGreaterThan(31_000);
    expect(await hopelessMs).toBeLessThan(50_000);
    expect(pauses(hopeless)).toEqual([1, 2, 4, 8, 16]);
    const last = hopeless.lines.at(-1);
    expect(last?.['log.level']).toBe('error');
    expect(last?.message).toMatch(/PostgreSQL at postgres:\/\/someone:\*\*\*@127.* is out of reach.*APP_DB_URL/);
    expect(hopeless.printed.join('\n')).not.toContain('hunter2');
    const told = hopeless.lines.filter((line) => line['log.level'] !== 'debug');
    expect(JSON.stringify(told)).not.toContain('stack_trace');
    expect(told.filter((line) => line['log.level'] === 'error')).toHaveLength(1);
  });
});
