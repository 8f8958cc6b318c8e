import type { ServerResponse } from 'node:http';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { Outage } from './support/outage.js';
import { accept } from './support/receiver.js';
import { receiptsIn } from './support/kept-receipts.js';
import { RedisServer } from './support/redis-server.js';
import { Stage } from './support/stage.js';
import { TcpProxy } from './support/tcp-proxy.js';

jest.setTimeout(60_000);

const PROVIDER_ID = '67f2f8a8-ea58-4ed0-a6f9-ff217df4d849';

describe('PostgreSQL lost right after the receiver took a message', () => {
  let stage: Stage;
  let way: TcpProxy;
  let redis: RedisServer;

  beforeEach(async () => {
    stage = await Stage.set();
    way = await TcpProxy.to(stage.database.url);
    redis = await RedisServer.started();
  });
  afterEach(async () => {
    await stage.strike();
    await way.stop();
    await redis.remove();
  });

  /**
   * Resolves when a message has been accepted and the database that should hear of it is out of reach. `before` is called
   * when the receiver has the message and has not answered.
   */
  async function loseDatabase(
    env: Readonly<Record<string, string>>,
    before: () => Promise<void> = () => Promise.resolve(),
  ): Promise<DispatcherProcess> {
    const app = await stage.replica({ rate_limit: 2, webhook_timeout: 60 }, { APP_DB_URL: way.url, ...env });
    const responses: ServerResponse[] = [];
    stage.receiver.behave = (_received, response) => void responses.push(response);
    await stage.database.insertMessages(1);
    await eventually(() => expect(stage.receiver.ledger).toHaveLength(1));
    await before();
    way.cut();
    stage.receiver.behave = accept;
    responses[0]?.writeHead(202, { 'content-type': 'application/json' });
    responses[0]?.end(JSON.stringify({ message: 'Accepted', messageId: PROVIDER_ID }));
    await app.logged(/outcomes cannot be written; they are held until they can/);
    expect(await stage.sentCount()).toBe(0);
    return app;
  }
  const marked = async (withinMs?: number) => {
    await eventually(async () => expect(await stage.sentCount()).toBe(1), withinMs);
    expect(await stage.database.query(`SELECT message_id, attempts, claimed_by FROM messages`)).toEqual([
      { message_id: PROVIDER_ID, attempts: 1, claimed_by: null },
    ]);
  };
  const goesOnWithoutRepeating = async () => {
    await stage.database.insertMessages(2);
    await eventually(async () => expect(await stage.sentCount()).toBe(3));
    expect(stage.receiver.ledger).toHaveLength(3);
  };

  it("is told when it returns: the message is marked with the provider's id and not sent again", async () => {
    const app = await loseDatabase({});
    way.mend();
    await marked();
    await app.logged(/the outcomes that were held are written/);
    await goesOnWithoutRepeating();
  });

  it('for longer than the lease of the job is told all the same', async () => {
    const app = await loseDatabase({});
    const [{ leaseUntil } = { leaseUntil: 0 }] = await stage.database.query<{ leaseUntil: number }>(
      `SELECT extract(epoch FROM lease_until)::float8 * 1000 AS "leaseUntil" FROM dispatch_jobs WHERE state = 'running'`,
    );
    await eventually(async () => expect((await stage.schedule()).now).toBeGreaterThan(leaseUntil + 500), 15_000);
    way.mend();
    await marked();
    await goesOnWithoutRepeating();
    expect(app.lines.filter(({ message }) => /outcomes were refused|a job failed/.test(message))).toEqual([]);
  });

  it('for longer than the lease is told by the owner, although another replica, which hears of nothing, is back before it', async () => {
    const otherWay = await TcpProxy.to(stage.database.url);
    let other: DispatcherProcess | undefined;
    const app = await loseDatabase({}, async () => {
      other = await stage.replica({ rate_limit: 2 }, { APP_DB_URL: otherWay.url });
      await other.logged(/sending runs/);
      otherWay.swallow();
    });
    try {
      await other?.logged(/the schedule is out of reach/, 20_000);
      const leaseOver = () =>
        stage.database.value<boolean>(
          `SELECT bool_and(lease_until < now() - interval '1 s') FROM dispatch_jobs WHERE state = 'running'`,
        );
      await eventually(async () => expect(await leaseOver()).toBe(true), 15_000);
      otherWay.mend();
      await other?.logged(/the schedule is within reach again/, 20_000);
      way.mend();
      await marked();
      await goesOnWithoutRepeating();
      const lines = [app, other].flatMap((replica) => replica?.lines ?? []).map(({ message }) => message);
      expect(lines.filter((line) => /outcomes were refused|took over/.test(line))).toEqual([]);
    } finally {
      await otherWay.stop();
    }
  });

  it('is told when each was sent, not when it returned', async () => {
    const app = await stage.replica({ rate_limit: 3 }, { APP_DB_URL: way.url });
    const held: ServerResponse[] = [];
    // The first success opens the window for two at once.
    stage.receiver.behave = (received, response) =>
      stage.receiver.ledger.length === 1 ? accept(received, response) : void held.push(response);
    const [, ...ids] = await stage.database.insertMessages(3);
    await eventually(async () => expect(await stage.sentCount()).toBe(1));
    await eventually(() => expect(held).toHaveLength(2));
    const answeredAt: number[] = [];
    const answer = async (response: ServerResponse | undefined) => {
      answeredAt.push((await stage.schedule()).now);
      response?.writeHead(202).end();
    };
    way.cut();
    await answer(held[0]);
    await app.logged(/outcomes cannot be written; they are held until they can/);
    await answer(held[1]);
    await eventually(async () => expect((await stage.schedule()).now).toBeGreaterThan(answeredAt[1]! + 3_000), 10_000);
    way.mend();
    await eventually(async () => expect(await stage.sentCount()).toBe(3));
    const sent = await stage.database.query<{ at: number }>(
      `SELECT extract(epoch FROM sent_at AT TIME ZONE 'UTC')::float8 * 1000 AS at FROM messages
       WHERE id = ANY ($1) ORDER BY sent_at`,
      [ids],
    );
    sent.forEach(({ at }, index) => {
      expect(at).toBeGreaterThanOrEqual(answeredAt[index]! - 5);
      expect(at).toBeLessThan(answeredAt[index]! + 2_500);
    });
  });

  it('and the process killed: the receipt in Redis tells its successor, and the message is not sent again', async () => {
    const app = await loseDatabase({ APP_REDIS_ADDR: redis.address });
    await app.end('SIGKILL');
    const successor = await stage.successor(app, { APP_REDIS_ADDR: redis.address });
    await successor.logged(/took over 1 messages of a replica that went away: 1 were sent, 0 are uncertain/, 20_000);
    await marked();
    await goesOnWithoutRepeating();
  });

  it('and the process killed: a successor whose connection to Redis comes back in that moment is told as well', async () => {
    const app = await loseDatabase({ APP_REDIS_ADDR: redis.address });
    await app.end('SIGKILL');
    const redisWay = await TcpProxy.to(`redis://${redis.address}`);
    try {
      redisWay.cut();
      const successor = await stage.successor(app, { APP_REDIS_ADDR: new URL(redisWay.url).host });
      await eventually(async () => expect((await stage.jobs()).some(({ fence }) => fence > 1)).toBe(true), 20_000);
      redisWay.mend();
      await successor.logged(/took over 1 messages of a replica that went away: 1 were sent, 0 are uncertain/);
      await marked();
    } finally {
      await redisWay.stop();
    }
  });
});

describe('Redis in trouble', () => {
  let stage: Stage;
  let redis: RedisServer;
  let app: DispatcherProcess;

  beforeAll(async () => {
    stage = await Stage.set();
    redis = await RedisServer.started();
    app = await stage.replica({ rate_limit: 5 }, { APP_REDIS_ADDR: redis.address });
  });
  afterAll(async () => {
    await stage.strike();
    await redis.remove();
  });

  async function sendsAsEver() {
    const ids = await stage.database.insertMessages(8);
    await eventually(async () => {
      const sent = await stage.database.query(
        `SELECT id FROM messages WHERE id = ANY ($1) AND sent_status AND message_id IS NOT NULL AND attempts = 1`,
        [ids],
      );
      expect(sent).toHaveLength(ids.length);
    }, 10_000);
    expect(stage.receiver.ledger.splice(0)).toHaveLength(ids.length);
    return ids;
  }

  it('that answers nothing, refuses every write or is gone: messages are sent and marked as ever', async () => {
    redis.pause();
    await sendsAsEver();
    await app.logged(/receipts are not being kept/);
    redis.resume();
    await eventually(() => redis.hands.config('SET', 'maxmemory', '1'));
    await sendsAsEver();
    await redis.kill();
    await sendsAsEver();
    const outage = new Outage(app);
    await redis.start();
    await outage.logged(/^Redis is back/, 5_000);
    const ids = await sendsAsEver();
    await eventually(async () => {
      expect(await receiptsIn(redis.hands)).toEqual(expect.arrayContaining(ids));
    });
  });
});
