import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { SkewedClock } from './support/skewed-clock.js';
import { gaps, Stage, type JobRow } from './support/stage.js';

jest.setTimeout(60_000);

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.set();
});
afterEach(() => stage.strike());

const done = async (count: number): Promise<JobRow[]> =>
  await eventually(async () => {
    const jobs = (await stage.jobs()).filter(({ state }) => state === 'done');
    expect(jobs.length).toBeGreaterThanOrEqual(count);
    return jobs;
  }, 20_000);

describe('a restart shorter than an interval', () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'after %s runs the next job one interval after the last slot',
    async (signal) => {
      const former = await stage.replica({ scheduler_interval: 3 });
      await stage.database.insertMessages(3);
      await done(1);
      await former.end(signal);
      await stage.successor(former);
      const jobs = await done(2);
      expect(gaps(jobs.map(({ dueAt }) => dueAt))).toEqual([3000]);
    },
  );
});

describe('a downtime', () => {
  const MINUTE_MS = 60_000;
  let clock: SkewedClock;
  beforeEach(async () => {
    clock = await SkewedClock.install(stage.database);
  });
  afterEach(() => clock.release());

  /** Lets the first slot pass, then restarts the service when exactly so much time has passed since; the clock stands from then on. */
  async function comeBackAfter(downMs: number, capacity = 100): Promise<{ first: JobRow; former: DispatcherProcess }> {
    const former = await stage.replica({ scheduler_interval: 60, scheduler_queue_capacity: capacity });
    const [first] = await done(1);
    if (first === undefined) throw new Error('no job was done');
    await former.end('SIGKILL');
    await stage.database.insertMessages(30);
    await clock.standAt(first.dueAt + downMs);
    return { first, former: await stage.successor(former) };
  }

  it.each([
    ['exactly k intervals', 3 * MINUTE_MS],
    // Not to the millisecond: the clock stands, and to a machine that takes its time it seems to be set back.
    ['k intervals and most of another', 4 * MINUTE_MS - 10_000],
  ])('of %s is made up for by k jobs, in order, on the grid', async (_name, downMs) => {
    const { first } = await comeBackAfter(downMs);
    const jobs = await done(4);
    expect(jobs.map(({ dueAt }) => (dueAt - first.dueAt) / MINUTE_MS)).toEqual([0, 1, 2, 3]);
    expect(await stage.jobs()).toHaveLength(4);
    expect(stage.receiver.ledger.map(({ content }) => content)).toEqual(['text 1', 'text 2', 'text 3']);
    const sentBy = await stage.database.query<{ job_id: number }>(
      `SELECT job_id FROM delivery_attempts ORDER BY message_id`,
    );
    expect(sentBy.map((row) => row.job_id)).toEqual(jobs.slice(1).map(({ id }) => id));
  });

  it('is made up for by as many jobs as the capacity allows; the rest are counted', async () => {
    const { first, former } = await comeBackAfter(7 * MINUTE_MS, 3);
    const jobs = await done(4);
    expect(jobs.map(({ dueAt }) => (dueAt - first.dueAt) / MINUTE_MS)).toEqual([0, 1, 2, 3]);
    expect(await stage.jobs()).toHaveLength(4);
    expect(await stage.schedule()).toMatchObject({ overflowTotal: 4, waiting: 0 });
    expect(former.lines.filter(({ message }) => /queue of jobs is full: 4 slots/.test(message))).toHaveLength(1);
  });
});

describe('the database clock', () => {
  const HOUR_MS = 3_600_000;

  it('set back an hour makes no pause, and set forward an hour counts as a downtime', async () => {
    const clock = await SkewedClock.install(stage.database);
    const app = await stage.replica({ scheduler_queue_capacity: 5 });
    await stage.database.insertMessages(100);
    const requests = async (count: number) =>
      await eventually(() => expect(stage.receiver.ledger.length).toBeGreaterThanOrEqual(count), 10_000);

    await requests(2);
    const [retry] = await stage.database.query<{ id: number }>(
      `INSERT INTO messages (recipient_phone, content, attempts, next_attempt_at)
       VALUES ('+905551111111', 'pausing', 1, clock_timestamp() + interval '5 s') RETURNING id`,
    );
    await clock.jump(-HOUR_MS);
    await requests(6);
    await app.logged(/clock was set back by 3\d{6} ms/);
    expect(Math.max(...gaps(stage.receiver.ledger.map(({ at }) => at)))).toBeLessThan(2_500);
    const before = await stage.schedule();
    expect(before.overflowTotal).toBe(0);
    await eventually(
      async () =>
        expect(await stage.database.value('SELECT sent_status FROM messages WHERE id = $1', [retry?.id])).toBe(true),
      15_000,
    );

    await clock.jump(HOUR_MS);
    const after = await eventually(async () => {
      const schedule = await stage.schedule();
      expect(schedule.overflowTotal).toBeGreaterThan(0);
      return schedule;
    });
    const slots = ((after.lastSlotAt ?? 0) - (before.lastSlotAt ?? 0)) / 1000;
    expect(after.kept - before.kept + after.overflowTotal).toBe(slots);
    expect(slots).toBeGreaterThanOrEqual(3600);
    const latest = await done((await stage.jobs()).length + 3);
    expect(new Set(gaps(latest.slice(-3).map(({ dueAt }) => dueAt)))).toEqual(new Set([1000]));
    await clock.release();
  });
});
