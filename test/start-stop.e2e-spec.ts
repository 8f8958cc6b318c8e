import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accept } from './support/receiver.js';
import { gaps, Stage } from './support/stage.js';

jest.setTimeout(60_000);

let stage: Stage;
beforeEach(async () => {
  stage = await Stage.set();
});
afterEach(() => stage.strike());

const runs = async () => (await stage.schedule()).running;
const requests = async (count: number) =>
  await eventually(() => expect(stage.receiver.ledger.length).toBeGreaterThanOrEqual(count));
/** Resolves once so many intervals of a second have passed since the last slot. */
const slotsWouldPass = async (count: number) =>
  await eventually(
    async () => {
      const { now, lastSlotAt } = await stage.schedule();
      expect(now - (lastSlotAt ?? now)).toBeGreaterThan(count * 1000);
    },
    count * 1000 + 5000,
  );
async function call(app: DispatcherProcess, path: '/start' | '/stop') {
  const askedAt = performance.now();
  const { status, text } = await app.post(path);
  return { status, text, tookMs: performance.now() - askedAt };
}
const STARTED = { status: 200, text: '"Started"' };
const STOPPED = { status: 200, text: '"Stopped"' };

describe('auto_sending', () => {
  it('true at the first boot: sending runs', async () => {
    const app = await stage.replica({ auto_sending: true });
    await stage.database.insertMessages(1);
    await requests(1);
    await app.logged(/^sending runs, a slot every 1 s/);
  });

  it('false at the first boot: nothing is sent until POST /start, which then sends at once', async () => {
    const app = await stage.replica({ auto_sending: false, scheduler_interval: 60 });
    await stage.database.insertMessages(3);
    await app.logged(/^sending is stopped since .* by auto_sending; POST \/start resumes it/);
    expect(await stage.jobs()).toEqual([]);
    expect(stage.receiver.ledger).toEqual([]);
    expect(await call(app, '/start')).toMatchObject(STARTED);
    const answeredAt = performance.now();
    await requests(1);
    expect(stage.receiver.ledger[0]!.at - answeredAt).toBeLessThan(5000);
  });

  it('starts and stops sending when it changes, and only then', async () => {
    const app = await stage.replica({ auto_sending: false });
    await stage.database.insertMessages(50);
    await app.setLive(stage.live({ auto_sending: true }));
    await requests(1);
    await app.setLive(stage.live({ auto_sending: false }));
    await eventually(async () => expect(await runs()).toBe(false));
    await call(app, '/start');
    await app.setLive(stage.live({ auto_sending: false, rate_limit: 2 }));
    await app.logged(/rate_limit: 1 → 2/);
    const before = stage.receiver.ledger.length;
    await requests(before + 2);
    expect(await runs()).toBe(true);
  });

  it('discards waiting jobs when it becomes false', async () => {
    const app = await stage.replica();
    await stage.database.insertMessages(5);
    stage.receiver.behave = stage.receiver.hold;
    await eventually(async () => expect((await stage.schedule()).waiting).toBeGreaterThanOrEqual(1));
    await app.setLive(stage.live({ auto_sending: false }));
    await eventually(async () => expect(await stage.schedule()).toMatchObject({ running: false, waiting: 0 }));
    expect((await stage.jobs()).some(({ state }) => state === 'dropped')).toBe(true);
  });
});

describe("an operator's stop", () => {
  it('survives a restart, is told by the boot log, and lasts until the next start', async () => {
    const app = await stage.replica();
    await stage.database.insertMessages(10);
    await requests(1);
    await app.post('/stop', { by: 'ali', reason: 'the gateway is being moved' });
    await app.end('SIGKILL');
    const before = stage.receiver.ledger.length;

    const successor = await stage.successor(app);
    await successor.logged(/^sending is stopped since \d{4}-.* by ali; POST \/start resumes it/);
    expect((await successor.get('/scheduler')).json()).toMatchObject({
      state: 'stopped',
      next_slot_at: null,
      changed_by: 'ali',
      changed_why: 'the gateway is being moved',
    });
    await slotsWouldPass(4);
    expect(stage.receiver.ledger).toHaveLength(before);
    await call(successor, '/start');
    await requests(before + 2);
  });

  it('lasts until the next change of auto_sending, also one that was made while the service was down', async () => {
    const app = await stage.replica({ auto_sending: false });
    await call(app, '/start');
    await eventually(async () => expect((await stage.jobs()).length).toBeGreaterThanOrEqual(1));
    await call(app, '/stop');
    await app.end();
    await app.setLive(stage.live({ auto_sending: true }));
    const successor = await stage.successor(app);
    await eventually(async () => expect(await runs()).toBe(true));
    await call(successor, '/stop');
    await successor.setLive(stage.live({ auto_sending: false }));
    await eventually(async () => {
      expect(await stage.database.value('SELECT auto_sending FROM scheduler_state')).toBe(false);
    });
    expect(await runs()).toBe(false);
    await successor.setLive(stage.live({ auto_sending: true }));
    await eventually(async () => expect(await runs()).toBe(true));
  });

  it('is answered once the request in flight is over and its message marked; none begins afterwards', async () => {
    const app = await stage.replica({ rate_limit: 10 });
    await stage.database.insertMessages(30);
    stage.receiver.behave = stage.receiver.hold;
    await eventually(() => expect(stage.receiver.open).toBe(1));
    let answered = false;
    const stopping = call(app, '/stop').finally(() => (answered = true));
    await eventually(async () => expect(await runs()).toBe(false));
    // A job that got an answer before its replica heard of the stop would go on.
    await app.logged(/^sending is stopped/);
    expect(answered).toBe(false);
    stage.receiver.behave = accept;
    stage.receiver.letGo();
    expect(await stopping).toMatchObject(STOPPED);
    expect(stage.receiver.ledger).toHaveLength(1);
    expect(await stage.sentCount()).toBe(1);
    expect(await stage.database.value(`SELECT count(*) FROM messages WHERE claimed_by IS NOT NULL`)).toBe(0);
    await slotsWouldPass(3);
    expect(stage.receiver.ledger).toHaveLength(1);
  });

  it('is answered within the webhook timeout and a second, however much waits and whatever the receiver does', async () => {
    const app = await stage.replica({ rate_limit: 500, webhook_timeout: 1 });
    await stage.database.insertMessages(1000);
    await requests(30);
    stage.receiver.behave = stage.receiver.hold;
    await eventually(() => expect(stage.receiver.open).toBeGreaterThan(1));
    const stops = [await call(app, '/stop')];
    // A busy machine may take longer than that to write down that the requests ended, and the answer says so in time.
    if (stops[0]?.text.includes('scheduler.stop_unconfirmed')) stops.push(await call(app, '/stop'));
    expect(stops.at(-1)).toMatchObject(STOPPED);
    expect(Math.max(...stops.map(({ tookMs }) => tookMs))).toBeLessThan(3000);
    const before = stage.receiver.ledger.length;
    expect((await stage.jobs()).filter(({ state }) => state === 'running' || state === 'waiting')).toEqual([]);
    await slotsWouldPass(3);
    expect(stage.receiver.ledger).toHaveLength(before);
  });

  it('discards waiting jobs and no message, and the time spent stopped is not made up for', async () => {
    const app = await stage.replica();
    const ids = await stage.database.insertMessages(8);
    stage.receiver.behave = stage.receiver.hold;
    await eventually(async () => expect((await stage.schedule()).waiting).toBeGreaterThanOrEqual(2));
    const stopping = call(app, '/stop');
    await eventually(async () => expect(await runs()).toBe(false));
    stage.receiver.behave = accept;
    stage.receiver.letGo();
    expect(await stopping).toMatchObject(STOPPED);
    expect((await stage.jobs()).filter(({ state }) => state === 'waiting')).toEqual([]);
    expect((await stage.jobs()).filter(({ state }) => state === 'dropped').length).toBeGreaterThanOrEqual(2);

    const before = await stage.jobs();
    await stage.age(3_600_000);
    await call(app, '/start');
    const since = await eventually(async () => {
      const jobs = (await stage.jobs()).filter(({ id }) => id > (before.at(-1)?.id ?? 0));
      expect(jobs.length).toBeGreaterThanOrEqual(3);
      return jobs;
    });
    expect(new Set(gaps(since.map(({ dueAt }) => dueAt)))).toEqual(new Set([1000]));
    expect((await stage.schedule()).overflowTotal).toBe(0);
    await eventually(async () => expect(await stage.sentCount()).toBe(ids.length), 10_000);
    expect(stage.receiver.ledger).toHaveLength(ids.length);
  });
});

describe('starting', () => {
  it('twenty times at once is one scheduler', async () => {
    const app = await stage.replica({ auto_sending: false });
    await stage.database.insertMessages(30);
    const replies = await Promise.all(Array.from({ length: 20 }, () => call(app, '/start')));
    for (const reply of replies) expect(reply).toMatchObject(STARTED);
    await requests(4);
    const jobs = await stage.jobs();
    expect(new Set(gaps(jobs.map(({ dueAt }) => dueAt)))).toEqual(new Set([1000]));
    expect(jobs.every(({ attempts }) => attempts <= 1)).toBe(true);
    const stops = await Promise.all(Array.from({ length: 20 }, () => call(app, '/stop')));
    for (const reply of stops) expect(reply).toMatchObject(STOPPED);
    expect(await stage.sentCount()).toBe(stage.receiver.ledger.length);
  });

  it('and stopping again and again does not beat the rate: the next job is one interval after the last slot', async () => {
    const app = await stage.replica({ auto_sending: false, scheduler_interval: 10 });
    await stage.database.insertMessages(20);
    await call(app, '/start');
    await requests(1);
    for (let cycle = 0; cycle < 20; cycle += 1) {
      expect(await call(app, '/stop')).toMatchObject(STOPPED);
      expect(await call(app, '/start')).toMatchObject(STARTED);
    }
    const jobs = await eventually(async () => {
      const all = await stage.jobs();
      expect(all.length).toBeGreaterThanOrEqual(2);
      return all;
    }, 20_000);
    expect(gaps(jobs.map(({ dueAt }) => dueAt))).toEqual([10_000]);
    expect(await runs()).toBe(true);
  });
});
