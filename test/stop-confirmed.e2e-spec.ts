import { setTimeout as sleep } from 'node:timers/promises';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accept } from './support/receiver.js';
import { SkewedClock } from './support/skewed-clock.js';
import { Stage } from './support/stage.js';

jest.setTimeout(120_000);

const TIMEOUT_S = 3;
/** That of the replica that goes silent. */
const OWNER_TIMEOUT_S = 10;

describe('a stop is confirmed', () => {
  let stage: Stage;
  let clock: SkewedClock;
  let owner: DispatcherProcess;
  let other: DispatcherProcess;

  beforeAll(async () => {
    stage = await Stage.set();
    clock = await SkewedClock.install(stage.database);
    const live = { auto_sending: false, rate_limit: 3, on_uncertain: 'hold' };
    owner = await stage.replica({ ...live, webhook_timeout: 30 });
    other = await stage.replica({ ...live, webhook_timeout: 30 });
  });
  afterAll(async () => {
    await stage.strike();
    await clock.release();
  });

  const inMidJob = async () => {
    stage.receiver.behave = stage.receiver.hold;
    await stage.database.insertMessages(3);
    await owner.post('/start');
    await eventually(() => expect(stage.receiver.open).toBeGreaterThanOrEqual(1), 15_000);
    const [job] = (await stage.jobs()).filter(({ state }) => state === 'running');
    if (!job?.owner?.includes(`/${owner.child.pid}/`)) [owner, other] = [other, owner];
  };
  const letGo = () => {
    stage.receiver.behave = accept;
    stage.receiver.letGo();
  };

  it('not when sending was started again meanwhile', async () => {
    await inMidJob();
    const stopping = other.post('/stop');
    await eventually(async () => expect((await stage.schedule()).running).toBe(false));
    await other.post('/start');
    const answer = await stopping;
    expect([answer.status, answer.json()]).toMatchObject([409, { code: 'scheduler.started_again' }]);
    letGo();
    expect((await other.post('/stop')).text).toBe('"Stopped"');
  });

  it('not because the clock of PostgreSQL jumped past the lease of an owner that lives', async () => {
    await inMidJob();
    await clock.jump(3_600_000);
    let answered = false;
    const stopping = other.post('/stop').finally(() => (answered = true));
    await owner.logged(/^sending is stopped/);
    await eventually(async () => expect((await stage.schedule()).running).toBe(false));
    // Many times as long as the stop takes to look.
    await sleep(1_000);
    expect(answered).toBe(false);
    letGo();
    expect((await stopping).text).toBe('"Stopped"');
    expect(await stage.database.query(`SELECT id FROM messages WHERE parked_as = 'uncertain'`)).toEqual([]);
  });

  it('not while an owner is silent, nor when its job has been taken over, until none of its own requests can be under way', async () => {
    const live = { auto_sending: false, rate_limit: 3, on_uncertain: 'hold' };
    const withTimeout = (webhook_timeout: number) => stage.live({ ...live, webhook_timeout });
    await Promise.all([owner, other].map((replica) => replica.changeLive(withTimeout(OWNER_TIMEOUT_S))));
    await inMidJob();
    // All that the job may request: frozen between its last look and the write, a process lets one go when it wakes.
    await eventually(() => expect(stage.receiver.open).toBe(3), 15_000);
    await other.changeLive(withTimeout(TIMEOUT_S));
    owner.child.kill('SIGSTOP');
    const first = await other.post('/stop');
    expect([first.status, first.json()]).toMatchObject([503, { code: 'scheduler.stop_unconfirmed' }]);
    await other.logged(/took over \d+ messages of a replica that went away/, 25_000);
    const takenOverAt = performance.now();
    const second = await other.post('/stop');
    if (performance.now() - takenOverAt < 1_000) {
      expect(second.status).toBe(503);
      expect(second.json<{ error: string }>().error).toMatch(/\/\d+\/.* went silent; .* may be under way until \d{4}-/);
    }
    await eventually(async () => expect((await other.post('/stop')).text).toBe('"Stopped"'), 15_000);
    expect(performance.now() - takenOverAt).toBeGreaterThan((OWNER_TIMEOUT_S - 1) * 1_000);

    letGo();
    const received = stage.receiver.ledger.length;
    owner.child.kill('SIGCONT');
    await eventually(async () => expect((await owner.get('/health/ready')).status).toBe(200));
    await owner.get('/scheduler');
    expect(stage.receiver.ledger).toHaveLength(received);
  });
});
