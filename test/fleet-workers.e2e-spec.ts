import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accept, type Behaviour } from './support/receiver.js';
import { Stage, type JobRow } from './support/stage.js';

jest.setTimeout(90_000);

const REPLICAS = 3;

describe('jobs side by side', () => {
  let stage: Stage;
  let fleet: DispatcherProcess[];
  let live: Readonly<Record<string, unknown>>;

  beforeEach(async () => {
    stage = await Stage.set();
    fleet = [];
    live = { auto_sending: false, webhook_timeout: 60, webhook_concurrency: 1, rate_limit: 5 };
  });
  afterEach(() => stage.strike());

  const join = async () => void fleet.push(await stage.replica(live));
  const joinAll = async () => {
    for (let index = 0; index < REPLICAS; index += 1) await join();
  };
  const setWorkers = async (workers: number) => {
    live = { ...live, scheduler_workers: workers };
    await Promise.all(fleet.map((replica) => replica.changeLive(stage.live(live))));
  };
  /** Waits until so many more slots have come due, so that whoever may begin a job has had the occasion to. */
  const slotsPass = async (slots: number) => {
    const { id } = (await stage.jobs()).at(-1) ?? { id: 0 };
    await eventually(async () => expect((await stage.jobs()).at(-1)?.id).toBeGreaterThanOrEqual(id + slots));
  };
  const running = async () => (await stage.jobs()).filter(({ state }) => state === 'running');

  it('are as many as workers and replicas allow, so that each one more has requests of its own in flight', async () => {
    stage.receiver.behave = stage.receiver.hold;
    await join();
    await stage.database.insertMessages(100);
    await setWorkers(1);
    await fleet[0]?.post('/start');
    const inFlight = async (count: number) => {
      await eventually(() => expect(stage.receiver.open).toBe(count), 20_000);
      await slotsPass(2);
      expect(stage.receiver.open).toBe(count);
      expect(await running()).toHaveLength(count);
    };

    await inFlight(1);
    await join();
    await inFlight(1);
    await setWorkers(2);
    await inFlight(2);
    await setWorkers(3);
    await inFlight(2);
    await join();
    await inFlight(3);
    expect(new Set((await running()).map(({ owner }) => owner)).size).toBe(3);
  });

  it('have no more requests in flight than the rate limit for each worker, whatever a replica could bear', async () => {
    live = { ...live, webhook_concurrency: 50, rate_limit: 2 };
    let most = 0;
    let open = 0;
    // Longer than a slot, so that jobs wait and every replica that may send does.
    stage.receiver.behave = (received, response) => {
      open += 1;
      most = Math.max(most, open);
      setTimeout(() => {
        open -= 1;
        void accept(received, response);
      }, 1_200);
    };
    await joinAll();
    await stage.database.insertMessages(100);
    await setWorkers(2);
    await fleet[0]?.post('/start');
    await eventually(async () => expect(await stage.sentCount()).toBeGreaterThanOrEqual(12), 40_000);
    expect(most).toBeGreaterThan(2);
    expect(most).toBeLessThanOrEqual(4);
  });

  it('are never more than scheduler_workers at once, keep to the rate limit each, and send every message once', async () => {
    live = { ...live, webhook_concurrency: 50 };
    // Longer than a slot, so that jobs wait and every worker that may begin one does.
    stage.receiver.behave = (received, response) => void setTimeout(() => void accept(received, response), 700);
    await joinAll();
    const ids = await stage.database.insertMessages(50);
    await setWorkers(2);
    await fleet[1]?.post('/start');
    await eventually(async () => expect(await stage.sentCount()).toBe(ids.length), 60_000);
    await eventually(async () => expect(await running()).toEqual([]));

    const jobs = (await stage.jobs()).filter(({ attempts }) => attempts > 0);
    expect(mostAtOnce(jobs)).toBe(2);
    expect(new Set(jobs.map(({ dueAt }) => dueAt)).size).toBe(jobs.length);
    expect(Math.max(...jobs.map(({ attempts }) => attempts))).toBe(5);
    expect(stage.receiver.ledger.map(({ content }) => content).toSorted(byNumber)).toEqual(
      ids.map((_, index) => `text ${index + 1}`),
    );
  });

  it('have all ended when the stop of any replica is answered', async () => {
    const held: (() => void)[] = [];
    const hold: Behaviour = (received, response) => void held.push(() => void accept(received, response));
    stage.receiver.behave = hold;
    await joinAll();
    await stage.database.insertMessages(100);
    await setWorkers(REPLICAS);
    await fleet[0]?.post('/start');
    await eventually(() => expect(held).toHaveLength(REPLICAS), 20_000);

    const before = fleet.map((replica) => replica.said(/^sending is stopped/).length);
    let answered = false;
    const stopping = fleet[2]?.post('/stop').finally(() => (answered = true));
    // A job that got an answer before its replica heard of the stop would go on.
    await eventually(() =>
      fleet.forEach((replica, index) => expect(replica.said(/^sending is stopped/)).toHaveLength(before[index]! + 1)),
    );
    for (let letGo = 1; letGo < REPLICAS; letGo += 1) {
      held.shift()?.();
      await eventually(async () => expect(await running()).toHaveLength(REPLICAS - letGo));
      expect(answered).toBe(false);
    }
    held.shift()?.();
    expect((await stopping)?.text).toBe('"Stopped"');
    expect(held).toEqual([]);
    expect(stage.receiver.ledger).toHaveLength(REPLICAS);
    expect(await stage.sentCount()).toBe(REPLICAS);
    expect(await running()).toEqual([]);
  });
});

function mostAtOnce(jobs: readonly JobRow[]): number {
  return Math.max(
    ...jobs.map(
      ({ startedAt }) => jobs.filter((job) => job.startedAt <= startedAt && job.finishedAt > startedAt).length,
    ),
  );
}

function byNumber(one: string, other: string): number {
  return Number(one.slice('text '.length)) - Number(other.slice('text '.length));
}
