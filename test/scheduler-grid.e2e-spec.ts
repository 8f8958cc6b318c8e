import { LEAD_MS, LONGEST_LEAD_MS } from '../src/scheduler/schedule.js';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accept, type Received } from './support/receiver.js';
import { gaps, Stage } from './support/stage.js';

jest.setTimeout(60_000);

describe('the grid of slots', () => {
  let stage: Stage;
  let app: DispatcherProcess;

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false });
    await stage.database.insertMessages(200);
    await app.end();
    await app.setLive(stage.live({ auto_sending: true }));
    app = await stage.successor(app);
  });
  afterAll(() => stage.strike());
  afterEach(() => {
    stage.receiver.behave = accept;
    stage.receiver.letGo();
  });

  /** Slots that are neither a job nor counted as surplus, as one look at the database has it. */
  const slotsMissing = async () => {
    const [first] = await stage.jobs();
    const { nextSlotAt, kept, overflowTotal } = await stage.schedule();
    return (nextSlotAt - (first?.dueAt ?? Number.NaN)) / 1000 - kept - overflowTotal;
  };
  const jobInHand = async () => {
    stage.receiver.behave = stage.receiver.hold;
    await eventually(() => expect(stage.receiver.open).toBe(1));
    const job = (await stage.jobs()).find(({ state }) => state === 'running');
    if (job === undefined) throw new Error('no job runs');
    return job;
  };
  const letGo = async () => {
    stage.receiver.behave = accept;
    stage.receiver.letGo();
    await eventually(async () => {
      expect((await stage.jobs()).filter(({ state }) => state === 'running' || state === 'waiting')).toEqual([]);
    });
  };

  it('runs the first job within a second of being ready', async () => {
    const ready = await app.logged(/^Listening on/);
    const first = await eventually(() => stage.receiver.ledger[0] ?? Promise.reject(new Error('nothing was sent')));
    expect(first.wallAt - Date.parse(String(ready['@timestamp']))).toBeLessThan(1000);
  });

  it('keeps exactly one interval between slots, and jobs do not fall behind them', async () => {
    const jobs = await eventually(async () => {
      const done = (await stage.jobs()).filter(({ state }) => state === 'done');
      expect(done.length).toBeGreaterThan(10);
      return done;
    }, 20_000);
    expect(new Set(gaps(jobs.map(({ dueAt }) => dueAt)))).toEqual(new Set([1000]));
    const lateness = jobs.map(({ startedAt, dueAt }) => startedAt - dueAt);
    expect(lateness.filter((late) => late < 1000).length).toBeGreaterThan(lateness.length / 2);
    expect(Math.max(...lateness)).toBeLessThan(5000);
    expect(Math.min(...lateness.slice(-5))).toBeLessThan(50);
  });

  it('begins a job shortly before its slot, and makes no request before it', async () => {
    const rows = await stage.database.query<{ key: string; due: number; started: number }>(
      `SELECT attempt.message_id::text AS key, extract(epoch FROM due_at)::float8 * 1000 AS due,
         extract(epoch FROM job.started_at)::float8 * 1000 AS started
       FROM delivery_attempts attempt JOIN dispatch_jobs job ON job.id = attempt.job_id`,
    );
    const arrivedAt = new Map(stage.receiver.ledger.map((received) => [messageIn(received), received.wallAt]));
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.filter(({ due, started }) => started < due)).not.toEqual([]);
    expect(rows.filter(({ due, started }) => !(started >= due - LONGEST_LEAD_MS))).toEqual([]);
    expect(rows.filter(({ key, due }) => !((arrivedAt.get(key) ?? 0) >= due))).toEqual([]);
  });

  it('queues the slots that an overrun covers, runs them directly after it, and goes on with the grid', async () => {
    const { id } = await jobInHand();
    await eventually(async () => expect((await stage.schedule()).waiting).toBeGreaterThanOrEqual(2));
    await letGo();
    await eventually(async () => {
      expect((await stage.jobs()).filter((job) => job.id > id).length).toBeGreaterThanOrEqual(4);
    });

    const jobs = (await stage.jobs()).filter((job) => job.id >= id && job.state === 'done');
    expect(new Set(gaps(jobs.map(({ dueAt }) => dueAt)))).toEqual(new Set([1000]));
    const [overrun, ...rest] = jobs;
    const pauses = rest.map(({ startedAt }, index) => startedAt - (jobs[index]?.finishedAt ?? Number.NaN));
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...pauses.slice(0, 2))).toBeLessThan(500);
    expect(overrun!.finishedAt - overrun!.dueAt).toBeGreaterThan(2000 - LEAD_MS);
    expect(jobs.every(({ attempts }) => attempts === 1)).toBe(true);
  });

  it('lets at most the capacity wait, counts the surplus, warns once and never shifts the grid', async () => {
    await app.setLive(stage.live({ scheduler_queue_capacity: 3 }));
    await app.logged(/scheduler_queue_capacity: 100 → 3/);
    await jobInHand();
    await eventually(async () => expect((await stage.schedule()).overflowTotal).toBeGreaterThanOrEqual(2), 10_000);
    expect((await stage.schedule()).waiting).toBe(3);
    await letGo();

    const jobs = await stage.jobs();
    const dues = jobs.map(({ dueAt }) => dueAt);
    expect(gaps(dues).every((gap) => gap % 1000 === 0)).toBe(true);
    expect(await slotsMissing()).toBe(0);
    expect(app.lines.filter(({ message }) => /queue of jobs is full/.test(message))).toHaveLength(1);
  });

  it('drops the newest waiting jobs, with the same count, when the capacity shrinks', async () => {
    await jobInHand();
    await eventually(async () => expect((await stage.schedule()).waiting).toBe(3));
    const waiting = (await stage.jobs()).filter(({ state }) => state === 'waiting');
    await app.setLive(stage.live({ scheduler_queue_capacity: 1 }));
    await eventually(async () => expect((await stage.schedule()).waiting).toBe(1));

    const jobs = await stage.jobs();
    expect(jobs.find(({ state }) => state === 'waiting')?.id).toBe(waiting[0]?.id);
    const dropped = jobs.filter(({ state }) => state === 'dropped');
    expect(dropped.map(({ id }) => id)).toEqual(waiting.slice(1).map(({ id }) => id));
    await letGo();
    expect(await slotsMissing()).toBe(0);
  });

  it('survives a job that throws, and runs it again once it can', async () => {
    await app.setLive(stage.live());
    const { id } = (await stage.jobs()).at(-1) ?? { id: 0 };
    await stage.database.query(`
      CREATE FUNCTION refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN RAISE 'out of order'; END $$`);
    await stage.database.query(`
      CREATE TRIGGER refuse BEFORE UPDATE OF horizon ON dispatch_jobs FOR EACH ROW EXECUTE FUNCTION refuse()`);
    await app.logged(/a job failed; the schedule goes on/);
    const { lastSlotAt } = await stage.schedule();
    await eventually(async () => expect((await stage.schedule()).lastSlotAt).toBeGreaterThan(lastSlotAt ?? 0));
    await stage.database.query(`DROP TRIGGER refuse ON dispatch_jobs`);
    const jobs = await eventually(async () => {
      const since = (await stage.jobs()).filter((job) => job.id >= id);
      const threw = since.findIndex(({ fence }) => fence > 1);
      expect(since[threw]).toMatchObject({ state: 'done', attempts: 1 });
      expect(since.slice(threw + 1).length).toBeGreaterThanOrEqual(3);
      return since;
    });
    expect(new Set(gaps(jobs.map(({ dueAt }) => dueAt)))).toEqual(new Set([1000]));
  });
});

describe('a new interval', () => {
  let stage: Stage;
  let app: DispatcherProcess;

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ scheduler_interval: 100 });
  });
  afterAll(() => stage.strike());

  it('counts at once when it is shorter, with the next slot now and none filled in for the past', async () => {
    const first = await eventually(async () => (await stage.jobs())[0] ?? Promise.reject(new Error('no slot yet')));
    await eventually(async () => {
      const { now, lastSlotAt } = await stage.schedule();
      expect(now - (lastSlotAt ?? now)).toBeGreaterThan(2500);
    });
    const { now } = await stage.schedule();
    await app.setLive(stage.live());
    const jobs = await eventually(async () => {
      const all = await stage.jobs();
      expect(all.length).toBeGreaterThanOrEqual(4);
      return all;
    });
    const [toChange, ...afterChange] = gaps(jobs.map(({ dueAt }) => dueAt));
    expect(first.dueAt + (toChange ?? 0)).toBeGreaterThanOrEqual(now);
    expect(first.dueAt + (toChange ?? 0)).toBeLessThan(now + 5000);
    expect(new Set(afterChange)).toEqual(new Set([1000]));
  });

  it('counts from the last slot when it is longer, and leaves waiting jobs waiting', async () => {
    await stage.database.insertMessages(20);
    stage.receiver.behave = stage.receiver.hold;
    await eventually(async () => expect((await stage.schedule()).waiting).toBeGreaterThanOrEqual(2));
    await app.setLive(stage.live({ scheduler_interval: 50 }));
    const { nextSlotAt, lastSlotAt, waiting } = await eventually(async () => {
      const schedule = await stage.schedule();
      expect(schedule.nextSlotAt - (schedule.lastSlotAt ?? 0)).toBe(50_000);
      return schedule;
    });
    expect(waiting).toBeGreaterThanOrEqual(2);
    stage.receiver.behave = accept;
    stage.receiver.letGo();
    await eventually(async () => expect((await stage.schedule()).waiting).toBe(0));
    expect(await stage.schedule()).toMatchObject({ nextSlotAt, lastSlotAt, overflowTotal: 0 });
    const jobs = await stage.jobs();
    expect(jobs.filter(({ state }) => state === 'dropped')).toEqual([]);
  });
});

/** Idempotency keys end with the message's id. */
function messageIn({ headers }: Received): string | undefined {
  return String(headers['idempotency-key']).split('-').at(-1);
}
