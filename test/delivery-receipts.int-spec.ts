import { Logger } from '@nestjs/common';
import type { RedisService } from '@liaoliaots/nestjs-redis';
import { Redis } from 'ioredis';
import { DeliveryReceipts, type Receipt } from '../src/dispatch/delivery-receipts.js';
import { JobReceipts } from '../src/dispatch/job-receipts.js';
import type { Settlement } from '../src/messages/message-settlements.js';
import { RedisConnection } from '../src/redis.js';
import { eventually } from './support/eventually.js';
import { keptReceipts, receiptsIn } from './support/kept-receipts.js';
import { RedisServer } from './support/redis-server.js';

Logger.overrideLogger(false);

const INSTALLATION = '4d3b9f3e-6a55-4c0e-9d5b-8d1c6e0f2a71';
const DAY_SECONDS = 86_400;
/** Longer than any moment without a processor, shorter than what ends a connection. */
const LATE_MS = 2_000;
const UNANSWERED_MAX = 20_000;

const receiptsThrough = (client: Redis): DeliveryReceipts => {
  const service: Pick<RedisService, 'getOrNil'> = { getOrNil: () => client };
  return new DeliveryReceipts(new RedisConnection(service as RedisService));
};

const receipt = (id: number): Receipt => ({
  id,
  messageId: id % 7 === 0 ? null : `sms-${id} "ğ" \u2028`,
  sentAtMs: Date.parse('2026-11-25T12:00:00.123Z'),
  messageHash: `hash-${id}`,
});

const wanted = (ids: readonly number[]) => new Map(ids.map((id) => [id, `hash-${id}`]));

const settlementOf = (id: number): Settlement => ({
  id,
  state: 'sent',
  knownAt: performance.now(),
  charged: true,
  delayMs: null,
  reason: null,
  messageId: `sms-${id}`,
  messageHash: `hash-${id}`,
  attempt: null,
});

const sorted = (ids: Iterable<number>) => [...ids].toSorted((a, b) => a - b);

describe('receipts in Redis', () => {
  let redis: RedisServer;
  let receipts: DeliveryReceipts;

  beforeAll(async () => {
    redis = await RedisServer.started();
  });
  beforeEach(async () => {
    await redis.hands.flushall();
    receipts = receiptsThrough(redis.hands);
  });
  afterAll(() => redis.remove());

  const keep = async (jobId: number, ids: readonly number[]) => {
    const before = (await receiptsIn(redis.hands)).length;
    receipts.keep(INSTALLATION, jobId, ids.map(receipt));
    await eventually(async () => expect(await receiptsIn(redis.hands)).toHaveLength(before + ids.length));
  };

  const lifetimes = async () => {
    const keys = (await redis.hands.keys('*')).toSorted();
    const seconds = await Promise.all(keys.map((key) => redis.hands.ttl(key)));
    return seconds.map((ttl) => (ttl <= 120 ? 'minutes' : 'a day'));
  };

  it('are found again, those that were asked for and no others, wherever their ids lie', async () => {
    const ids = [1, 7, 998, 999, 1_000, 1_001, 20_004_999, 20_005_000, 2 ** 40];
    await keep(3, ids.slice(0, 6));
    await keep(3, ids.slice(6));
    const asked = [999, 1_000, 1_002, 7, 20_005_000, 2 ** 40, 5_000_000_000];
    expect(await receipts.find(INSTALLATION, 3, wanted(asked))).toEqual(
      new Map([7, 999, 1_000, 20_005_000, 2 ** 40].map((id) => [id, receipt(id)])),
    );
    expect((await receipts.find(INSTALLATION, 3, wanted(ids))).size).toBe(ids.length);
  });

  it('are a job’s and an installation’s own', async () => {
    await keep(3, [1, 2]);
    expect(await receipts.find(INSTALLATION, 4, wanted([1, 2]))).toEqual(new Map());
    expect(await receipts.find(INSTALLATION.replace('4', '5'), 3, wanted([1, 2]))).toEqual(new Map());
  });

  it('answer for their own message only, not for another one that has the id by now', async () => {
    await keep(3, [1, 2]);
    const others = new Map([...wanted([1]), [2, 'another message']]);
    expect([...(await receipts.find(INSTALLATION, 3, others)).keys()]).toEqual([1]);
  });

  it('take no more room when they are handed over again, as they are while PostgreSQL is away', async () => {
    await keep(3, [4, 5, 1_002]);
    const [before, size] = [await receiptsIn(redis.hands), await redis.hands.dbsize()];
    for (let again = 0; again < 3; again += 1) receipts.keep(INSTALLATION, 3, [4, 5, 1_002].map(receipt));
    await keep(3, [2_000]);
    expect(sorted(await receiptsIn(redis.hands))).toEqual(sorted([...before, 2_000]));
    expect(await redis.hands.dbsize()).toBe(size + 1);
  });

  it('count once when what was handed over again holds more', async () => {
    await keep(3, [5, 6]);
    receipts.keep(INSTALLATION, 3, [3, 5, 6, 7].map(receipt));
    await keep(3, [8]);
    const found = await receipts.find(INSTALLATION, 3, wanted([3, 5, 6, 7, 8]));
    expect(sorted(found.keys())).toEqual([3, 5, 6, 7, 8]);
  });

  it('live for a day', async () => {
    await keep(3, [1, 5_000]);
    const keys = await redis.hands.keys('*');
    expect(await keptReceipts(redis.hands, keys)).toEqual(expect.arrayContaining([1, 5_000]));
    const left = await Promise.all(keys.map((key) => redis.hands.ttl(key)));
    for (const seconds of left) expect(seconds).toBeGreaterThan(DAY_SECONDS - 60);
    for (const seconds of left) expect(seconds).toBeLessThanOrEqual(DAY_SECONDS);
  });

  it('get their lifetime once a second, and again after they were let go', async () => {
    await keep(3, [1]);
    await redis.hands.persist((await redis.hands.keys('*'))[0] ?? '');
    await keep(3, [2]);
    expect(await redis.hands.ttl((await redis.hands.keys('*'))[0] ?? '')).toBe(-1);
    receipts.expireSoon(INSTALLATION, 3, [0]);
    await keep(3, [3]);
    expect(await lifetimes()).toEqual(['a day']);
    await redis.hands.persist((await redis.hands.keys('*'))[0] ?? '');
    let id = 3;
    await eventually(async () => {
      await keep(3, [(id += 1)]);
      expect(await redis.hands.ttl((await redis.hands.keys('*'))[0] ?? '')).toBeGreaterThan(0);
    });
  });

  it('of a job go in two minutes once their outcomes are written, shelf by shelf, and stay a day until then', async () => {
    const job = new JobReceipts(receipts, INSTALLATION, 3);
    const sent = [1, 2, 1_001, 2_001, 2_002].map((id) => settlementOf(id));
    const [first, second, third, fourth, fifth] = sent;
    job.keep(sent);
    await eventually(async () => expect(await receiptsIn(redis.hands)).toHaveLength(5));
    job.settled([first, third, fourth].flatMap((settlement) => settlement ?? []));
    await eventually(async () => expect(await lifetimes()).toEqual(['a day', 'minutes', 'a day']));
    job.settled([second].flatMap((settlement) => settlement ?? []));
    await eventually(async () => expect(await lifetimes()).toEqual(['minutes', 'minutes', 'a day']));
    // The last one was refused: the job's next owner has to learn of it.
    job.close();
    job.keepAgain([fifth].flatMap((settlement) => settlement ?? []));
    await eventually(async () => expect(await lifetimes()).toEqual(['minutes', 'minutes', 'a day']));
    job.settled([fifth].flatMap((settlement) => settlement ?? []));
    job.close();
    await eventually(async () => expect(await lifetimes()).toEqual(['minutes', 'minutes', 'minutes']));
  });

  it('are found beside what somebody else put there', async () => {
    await keep(3, [1]);
    const [key = ''] = await redis.hands.keys('*');
    const stray = [
      'no JSON',
      'null',
      '[2]',
      '{"id":2}',
      '[["2",null,1764072000000]]',
      '[[2,null,"yesterday"]]',
      '[[2,null]]',
    ];
    await redis.hands.hset(key, Object.fromEntries(stray.map((text, index) => [`stray-${index}`, text])));
    await redis.hands.set(key.replace(/:0$/, ':1'), 'of another type');
    expect(await receipts.find(INSTALLATION, 3, wanted([1, 2, 1_500]))).toEqual(new Map([[1, receipt(1)]]));
  });

  it('are kept although Redis is late, whatever becomes of the process until then', async () => {
    const client = new Redis(redis.port, '127.0.0.1');
    let kept = 0;
    try {
      await eventually(() => expect(client.status).toBe('ready'));
      redis.pause();
      const late = receiptsThrough(client);
      const pausedAt = performance.now();
      await eventually(() => {
        late.keep(INSTALLATION, 3, [receipt((kept += 1))]);
        expect(performance.now() - pausedAt).toBeGreaterThan(LATE_MS);
      });
    } finally {
      // What was handed over is the kernel's, as after a kill.
      client.disconnect();
      redis.resume();
    }
    await eventually(async () => expect(await receiptsIn(redis.hands)).toHaveLength(kept));
  });

  it('do not pile up while Redis does not answer, and are kept again when it does', async () => {
    const ids = Array.from({ length: UNANSWERED_MAX + 1 }, (_, index) => index);
    redis.pause();
    receipts.keep(INSTALLATION, 3, ids.map(receipt));
    receipts.keep(INSTALLATION, 3, [receipt(30_000)]);
    redis.resume();
    await eventually(async () => expect(await receiptsIn(redis.hands)).toHaveLength(ids.length));
    await keep(3, [40_000]);
    expect((await receipts.find(INSTALLATION, 3, wanted([30_000, 40_000]))).size).toBe(1);
  });

  it('are found by one whose connection is still being made', async () => {
    await keep(3, [1]);
    const client = new Redis(redis.port, '127.0.0.1', { lazyConnect: true });
    try {
      const finding = receiptsThrough(client).find(INSTALLATION, 3, wanted([1]));
      await client.connect();
      expect(await finding).toEqual(new Map([[1, receipt(1)]]));
    } finally {
      client.disconnect();
    }
  });
});
