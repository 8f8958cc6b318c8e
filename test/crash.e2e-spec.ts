import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accept } from './support/receiver.js';
import { SkewedClock } from './support/skewed-clock.js';
import { gaps, Stage, type JobRow } from './support/stage.js';

jest.setTimeout(60_000);

/** A crashed owner's job passes on after its lease of 10 s. */
const TAKEN_OVER_MS = 20_000;

const RATE_LIMIT = 3;

/** A process killed while it has several jobs waiting and the request for `text 10` in flight, alone. */
async function crashInMidJob(stage: Stage): Promise<{ crashed: DispatcherProcess; jobs: JobRow[] }> {
  const first = await stage.replica({
    rate_limit: RATE_LIMIT,
    scheduler_interval: 20,
    webhook_concurrency: 1,
    auto_sending: false,
  });
  await stage.database.insertMessages(100);
  await first.post('/start');
  await eventually(async () => expect(await stage.sentCount()).toBe(RATE_LIMIT));
  await first.end();
  await stage.age(8 * 20_000);

  stage.receiver.behave = (received, response) =>
    (received.content === 'text 10' ? stage.receiver.hold : accept)(received, response);
  const crashed = await stage.successor(first);
  await eventually(() => expect(stage.receiver.open).toBe(1));
  await eventually(async () => expect(await stage.sentCount()).toBe(9));
  await crashed.end('SIGKILL');
  stage.receiver.behave = accept;
  return { crashed, jobs: await stage.jobs() };
}

/** The same jobs once they are all done. */
async function afterwards(stage: Stage, before: readonly JobRow[]): Promise<JobRow[]> {
  return await eventually(async () => {
    const jobs = (await stage.jobs()).filter(({ id }) => id <= (before.at(-1)?.id ?? 0));
    expect(jobs.every(({ state }) => state === 'done')).toBe(true);
    return jobs;
  }, TAKEN_OVER_MS);
}

describe('kill -9 in mid-job, with jobs waiting', () => {
  let stage: Stage;
  let before: JobRow[];
  let after: JobRow[];
  let app: DispatcherProcess;

  beforeAll(async () => {
    stage = await Stage.set();
    const { crashed, jobs } = await crashInMidJob(stage);
    before = jobs;
    app = await stage.successor(crashed);
    after = await afterwards(stage, jobs);
  });
  afterAll(() => stage.strike());

  it('resumes the slot, which makes no more attempts in total than the rate limit', () => {
    const interrupted = before.find(({ state }) => state === 'running');
    const resumed = after.find(({ id }) => id === interrupted?.id);
    expect(resumed).toMatchObject({ fence: 2, state: 'done' });
    expect(resumed?.attempts).toBeLessThanOrEqual(RATE_LIMIT);
  });

  it('runs all the jobs that waited, in order', () => {
    const waiting = before.filter(({ state }) => state === 'waiting').map(({ id }) => id);
    expect(waiting.length).toBeGreaterThanOrEqual(4);
    const ran = after.filter(({ id }) => waiting.includes(id));
    expect(ran).toHaveLength(waiting.length);
    expect(Math.min(...gaps(ran.map(({ startedAt }) => startedAt)))).toBeGreaterThanOrEqual(0);
    expect(ran.every(({ startedAt }, index) => startedAt >= (ran[index - 1]?.finishedAt ?? 0))).toBe(true);
    expect(ran.every(({ attempts }) => attempts === RATE_LIMIT)).toBe(true);
  });

  it('sends nothing twice but what was in flight, and that under the same key', async () => {
    await app.logged(/took over \d+ messages of a replica that went away/);
    const keys = stage.receiver.ledger.map(({ headers }) => headers['idempotency-key']);
    const again = stage.receiver.ledger.filter(
      ({ headers }, index) => keys.indexOf(headers['idempotency-key']) < index,
    );
    expect(again.map(({ content }) => content)).toEqual(['text 10']);
    const received = stage.receiver.ledger.length;
    await eventually(async () =>
      expect(await stage.database.value(`SELECT count(*) FROM delivery_attempts`)).toBeGreaterThanOrEqual(received),
    );
  });
});

describe('a crashed replica', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.set();
  });
  afterEach(() => stage.strike());

  it('keeps nothing back for longer when the database clock is set back an hour meanwhile', async () => {
    const clock = await SkewedClock.install(stage.database);
    const { crashed, jobs } = await crashInMidJob(stage);
    await clock.jump(-3_600_000);
    await stage.successor(crashed);
    await afterwards(stage, jobs);
    expect((await stage.jobs()).find(({ fence }) => fence === 2)?.attempts).toBeLessThanOrEqual(RATE_LIMIT);
    await clock.release();
  });

  it('or one that hangs loses its message to another within 60 s, and what it writes late is refused', async () => {
    const live = { rate_limit: 1, scheduler_interval: 2, webhook_timeout: 60 };
    const hanging = await stage.replica(live);
    stage.receiver.behave = stage.receiver.hold;
    const [id] = await stage.database.insertMessages(1);
    await eventually(() => expect(stage.receiver.open).toBe(1));
    const other = await stage.replica(live);
    hanging.child.kill('SIGSTOP');
    stage.receiver.behave = accept;
    await eventually(async () => expect(await stage.sentCount()).toBe(1), TAKEN_OVER_MS);
    const taken = await stage.database.query(`SELECT * FROM messages`);
    await other.logged(/took over 1 messages of a replica that went away: 0 were sent, 1 are uncertain/);

    stage.receiver.letGo();
    hanging.child.kill('SIGCONT');
    await hanging.logged(/1 outcomes were refused/);
    expect(await stage.database.query(`SELECT * FROM messages`)).toEqual(taken);
    expect(taken).toMatchObject([{ id, sent_status: true, claimed_by: null, parked_as: null }]);
    const keys = stage.receiver.ledger.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);

    // It takes part again.
    await other.end();
    await stage.database.insertMessages(1);
    await eventually(async () => expect(await stage.sentCount()).toBe(2), TAKEN_OVER_MS);
  });
});
