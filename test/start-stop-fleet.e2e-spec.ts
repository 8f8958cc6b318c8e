import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accept } from './support/receiver.js';
import { Stage } from './support/stage.js';

jest.setTimeout(60_000);

describe('two replicas', () => {
  let stage: Stage;
  let fleet: [DispatcherProcess, DispatcherProcess];
  const live = { rate_limit: 100, auto_sending: false };

  beforeAll(async () => {
    stage = await Stage.set();
    const first = await stage.replica(live);
    fleet = [first, await stage.replica(live)];
  });
  afterAll(() => stage.strike());
  afterEach(async () => {
    stage.receiver.behave = accept;
    stage.receiver.letGo();
    await fleet[0].post('/stop');
    await stage.database.query(`DELETE FROM messages`);
    stage.receiver.ledger.length = 0;
  });

  /** The replica that runs the job in hand, and the other one. */
  async function ownerAndOther(): Promise<[DispatcherProcess, DispatcherProcess]> {
    const owner = (await stage.jobs()).find(({ state }) => state === 'running')?.owner ?? '';
    const [first, second] = fleet;
    return owner.includes(`/${first.child.pid}/`) ? [first, second] : [second, first];
  }

  it('stop and start together, whichever of them is asked', async () => {
    await stage.database.insertMessages(1000);
    stage.receiver.behave = stage.receiver.hold;
    await fleet[0].post('/start');
    await eventually(() => expect(stage.receiver.open).toBeGreaterThanOrEqual(1));
    const [owner, other] = await ownerAndOther();
    const heard = owner.said(/^sending is stopped/).length;
    let answered = false;
    const stopping = other.post('/stop').finally(() => (answered = true));
    await eventually(() => expect(owner.said(/^sending is stopped/)).toHaveLength(heard + 1));
    await eventually(async () => expect((await stage.schedule()).running).toBe(false));
    expect(answered).toBe(false);
    stage.receiver.behave = accept;
    stage.receiver.letGo();
    expect((await stopping).text).toBe('"Stopped"');
    const before = stage.receiver.ledger.length;
    expect(await stage.sentCount()).toBe(before);
    for (const replica of fleet) {
      expect((await replica.get('/scheduler')).json()).toMatchObject({ state: 'stopped', running_jobs: [] });
    }
    await owner.post('/start');
    await eventually(async () => expect(await stage.sentCount()).toBeGreaterThan(before));
    expect((await other.get('/scheduler')).json()).toMatchObject({ state: 'running' });
  });

  it('are one scheduler after twenty starts at each', async () => {
    await Promise.all(fleet.flatMap((replica) => Array.from({ length: 20 }, () => replica.post('/start'))));
    const { id } = (await stage.jobs()).at(-1) ?? { id: 0 };
    const jobs = await eventually(async () => {
      const later = (await stage.jobs()).filter((job) => job.id > id);
      expect(later.length).toBeGreaterThanOrEqual(4);
      return later;
    }, 10_000);
    const dues = jobs.map(({ dueAt }) => dueAt);
    expect(dues).toEqual(dues.map((_, index) => (dues[0] ?? 0) + index * 1000));
  });

  it('send each of 1,000 messages once, one job at a time, and no more than the rate limit per slot', async () => {
    const ids = await stage.database.insertMessages(1000);
    const { id } = (await stage.jobs()).at(-1) ?? { id: 0 };
    await fleet[0].post('/start');
    await eventually(async () => expect(await stage.sentCount()).toBe(ids.length), 30_000);

    const contents = stage.receiver.ledger.map(({ content }) => content);
    expect(contents).toHaveLength(ids.length);
    expect(new Set(contents).size).toBe(ids.length);
    const jobs = (await stage.jobs()).filter((job) => job.id > id && job.attempts > 0);
    expect(new Set(jobs.map(({ dueAt }) => dueAt)).size).toBe(jobs.length);
    expect(jobs.reduce((sum, { attempts }) => sum + attempts, 0)).toBe(ids.length);
    expect(Math.max(...jobs.map(({ attempts }) => attempts))).toBeLessThanOrEqual(100);
    expect(jobs.every((job, index) => index === 0 || job.startedAt >= jobs[index - 1]!.finishedAt)).toBe(true);
  });
});
