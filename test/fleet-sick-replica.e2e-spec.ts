import { eventually } from './support/eventually.js';
import { answer, Receiver } from './support/receiver.js';
import { serverPort } from './support/server-port.js';
import { silentHost } from './support/silent-host.js';
import { Stage } from './support/stage.js';

jest.setTimeout(90_000);

const SLOT = { scheduler_interval: 1, rate_limit: 2, webhook_timeout: 3 };

describe('a replica whose way to the receiver is in trouble', () => {
  let stage: Stage;
  let stops: (() => Promise<void> | void)[];
  beforeEach(async () => {
    stage = await Stage.set();
    stops = [];
  });
  afterEach(async () => {
    await stage.strike();
    for (const stop of stops) await stop();
  });

  const lastJob = async () => (await stage.jobs()).at(-1)?.id ?? 0;
  const ended = async (fromId: number) =>
    await stage.database.query<{ id: number; sent: number; budget: number }>(
      `SELECT id, sent, budget FROM dispatch_jobs WHERE state = 'done' AND id > $1 ORDER BY id`,
      [fromId],
    );
  /** The jobs that ended with budget left, but for slots that came due before there were messages and passed without a job. */
  const unspent = async (messagesFrom: Date) =>
    await stage.database.query<{ id: number }>(
      `SELECT id, due_at, fence, sent, budget, note FROM dispatch_jobs
       WHERE state = 'done' AND sent < budget AND (fence > 0 OR due_at > $1) ORDER BY id`,
      [messagesFrom],
    );
  /** Inserts messages after a first slot has passed with nothing to send; returns when they were there. */
  const insertAfterFirstSlot = async (count: number) => {
    await eventually(async () => expect(await lastJob()).toBeGreaterThan(0), 20_000);
    await stage.database.insertMessages(count);
    return await stage.database.value<Date>('SELECT clock_timestamp()');
  };

  const ways: readonly [string, () => Promise<string>][] = [
    ['is refused', async () => `http://127.0.0.1:${await serverPort()}/`],
    [
      'is silent',
      async () => {
        const host = await silentHost();
        stops.push(() => host.stop());
        return host.url;
      },
    ],
    [
      'gets 401',
      async () => {
        const other = await Receiver.start();
        other.behave = answer(401);
        stops.push(() => other.stop());
        return other.url;
      },
    ],
  ];

  it.each(ways)('and %s leaves the slots to one that can send, and is no burden to it', async (name, way) => {
    const sick = await stage.replica({ ...SLOT, webhook_url: await way() });
    const messagesFrom = await insertAfterFirstSlot(120);
    await eventually(
      async () =>
        expect((await sick.get('/scheduler')).text).toMatch(
          /did not get through|none of the messages|in trouble|keeps failing/,
        ),
      30_000,
    );
    expect(await stage.sentCount()).toBe(0);

    await stage.replica(SLOT);
    await eventually(async () => expect(await stage.sentCount()).toBeGreaterThanOrEqual(2), 20_000);
    const since = await lastJob();
    await eventually(async () => expect(await lastJob()).toBeGreaterThanOrEqual(since + 8), 20_000);
    await eventually(async () => expect((await ended(since)).length).toBeGreaterThanOrEqual(8), 20_000);
    expect((await ended(since)).filter(({ sent, budget }) => sent < budget)).toEqual([]);
    // Nothing of what came due before is lost to connections that could not be made.
    if (name === 'is refused' || name === 'is silent') expect(await unspent(messagesFrom)).toEqual([]);
  });

  it('loses no slot to a receiver that comes up late, and probes it with one request at a time', async () => {
    const port = await serverPort();
    await stage.replica({ ...SLOT, webhook_url: `http://127.0.0.1:${port}/` });
    const messagesFrom = await insertAfterFirstSlot(100);
    const due = async () => (await stage.jobs()).length;
    await eventually(async () => expect(await due()).toBeGreaterThanOrEqual(5), 20_000);
    const attempts = await stage.database.value<number>('SELECT count(*) FROM delivery_attempts');
    expect(attempts).toBeLessThanOrEqual(12);

    const receiver = await Receiver.start(port);
    stops.push(() => receiver.stop());
    const owed = await due();
    await eventually(async () => expect(receiver.ledger.length).toBeGreaterThanOrEqual(2 * owed), 20_000);
    const jobs = await stage.jobs();
    expect(receiver.ledger.length).toBeLessThanOrEqual(2 * jobs.length);
    expect(await unspent(messagesFrom)).toEqual([]);
  });
});
