import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { RedisServer } from './support/redis-server.js';
import { TcpProxy } from './support/tcp-proxy.js';
import { gaps, Stage } from './support/stage.js';

jest.setTimeout(60_000);

const KEY = 'scheduler_last_attempt_time';

describe('the copy of the last attempt time in Redis', () => {
  let stage: Stage;
  let redis: RedisServer;
  let app: DispatcherProcess;
  let way: TcpProxy | undefined;
  const env = () => ({ APP_REDIS_ADDR: redis.address });

  beforeEach(async () => {
    stage = await Stage.set();
    redis = await RedisServer.started();
    app = await stage.replica({}, env());
  });
  afterEach(async () => {
    await stage.strike();
    await redis.remove();
    await way?.stop();
  });

  const copy = async () => Date.parse((await redis.hands.get(KEY)) ?? '');
  const jobs = async (count: number) =>
    await eventually(async () => {
      const all = await stage.jobs();
      expect(all.length).toBeGreaterThanOrEqual(count);
      return all;
    }, 15_000);
  const copyFollows = async () =>
    await eventually(async () => expect(await copy()).toBe((await stage.schedule()).lastSlotAt), 10_000);

  it('is written at each slot, in RFC 3339', async () => {
    const all = await jobs(2);
    await copyFollows();
    expect(await redis.hands.get(KEY)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    expect(await copy()).toBeGreaterThanOrEqual(all[1]!.dueAt);
  });

  it('counts at the start when it is later than the time in PostgreSQL: the grid goes on from it', async () => {
    await jobs(1);
    await app.end();
    await stage.age(3_600_000);
    const later = (await stage.schedule()).now - 1_500;
    await redis.hands.set(KEY, new Date(later).toISOString());
    await stage.successor(app, env());
    const [, first, second] = await jobs(3);
    expect([first?.dueAt, second?.dueAt]).toEqual([later + 1_000, later + 2_000]);
    expect((await stage.schedule()).overflowTotal).toBe(0);
  });

  it.each([
    ['earlier than the time in PostgreSQL', '2020-01-01T00:00:00Z', false],
    ['in the future', '2999-01-01T00:00:00Z', false],
    ['no time at all', 'yesterday, I think', true],
    ['a bare number', '12', true],
  ])('does not count when it is %s, and is put right', async (_name, text, warned) => {
    await jobs(1);
    await app.end();
    await redis.hands.set(KEY, text);
    const successor = await stage.successor(app, env());
    const dues = (await jobs(2)).map(({ dueAt }) => dueAt);
    expect(gaps(dues).every((gap) => gap === 1_000)).toBe(true);
    await copyFollows();
    const warnings = successor.lines.filter(({ message }) => message.includes(`no time under ${KEY}`));
    expect(warnings.map((line) => line['log.level'])).toEqual(warned ? ['warn'] : []);
  });

  it('may be emptied, lost with its server, or slow to answer: no slot is late, and it is written again', async () => {
    await stage.database.insertMessages(50);
    await jobs(1);
    await redis.hands.flushall();
    await eventually(async () => expect(await copy()).not.toBeNaN());
    await copyFollows();

    await redis.kill();
    await jobs((await stage.jobs()).length + 2);
    await redis.start();
    await copyFollows();

    redis.pause();
    await jobs((await stage.jobs()).length + 2);
    redis.resume();
    await copyFollows();
    const all = await stage.jobs();
    expect(new Set(gaps(all.map(({ dueAt }) => dueAt)))).toEqual(new Set([1_000]));
    expect(all.slice(0, -1).every(({ state, attempts }) => state === 'done' && attempts <= 1)).toBe(true);
    const lateness = all.slice(0, -1).map(({ startedAt, dueAt }) => startedAt - dueAt);
    expect(lateness.filter((late) => late < 1_000).length).toBeGreaterThan(lateness.length / 2);
    expect(Math.max(...lateness)).toBeLessThan(5_000);
  });

  it('is written again when Redis returns, without waiting for the next slot', async () => {
    await jobs(1);
    await app.setLive(stage.live({ scheduler_interval: 60 }));
    await eventually(async () => {
      const { nextSlotAt, lastSlotAt } = await stage.schedule();
      expect(nextSlotAt - (lastSlotAt ?? 0)).toBe(60_000);
    });
    await redis.kill();
    await redis.start();
    await copyFollows();
  });

  it.each(['is down', 'answers nobody', 'falls silent while it is asked'])(
    'is done without at a start when Redis %s',
    async (trouble) => {
      await jobs(1);
      await app.end();
      if (trouble === 'is down') await redis.kill();
      if (trouble === 'answers nobody') redis.pause();
      way = await TcpProxy.to(`redis://${redis.address}`, () => (asked) => {
        if (trouble === 'falls silent while it is asked' && asked.includes(KEY)) redis.pause();
      });
      await stage.successor(app, { APP_REDIS_ADDR: new URL(way.url).host });
      await jobs(3);
      if (trouble === 'is down') await redis.start();
      else redis.resume();
      trouble = 'none';
      await copyFollows();
      expect(gaps((await stage.jobs()).map(({ dueAt }) => dueAt)).every((gap) => gap === 1_000)).toBe(true);
    },
  );
});

describe('the copy of another installation, or of none,', () => {
  let stage: Stage;
  let redis: RedisServer;
  beforeEach(async () => {
    stage = await Stage.set();
    redis = await RedisServer.started();
  });
  afterEach(async () => {
    await stage.strike();
    await redis.remove();
  });

  it('decides nothing: a new database has its first job at once, and an older one goes on from its own last slot', async () => {
    const env = { APP_REDIS_ADDR: redis.address };
    const agoMs = 20_000;
    await redis.hands.set(KEY, new Date(Date.now() - agoMs).toISOString());
    const app = await stage.replica({ scheduler_interval: 3_600 }, env);
    await eventually(async () => expect(await stage.jobs()).toHaveLength(1));
    await app.logged(/of another database/);
    const { lastSlotAt } = await stage.schedule();
    await eventually(async () => expect(Date.parse((await redis.hands.get(KEY)) ?? '')).toBe(lastSlotAt));

    await app.end();
    const theirs = new Date((lastSlotAt ?? 0) + 1).toISOString();
    await redis.hands.mset(KEY, theirs, `{${KEY}}:installation`, 'another');
    const successor = await stage.successor(app, env);
    await successor.logged(/of another database/);
    expect((await stage.schedule()).lastSlotAt).toBe(lastSlotAt);
  });
});
