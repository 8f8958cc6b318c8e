import { setTimeout as sleep } from 'node:timers/promises';
import { LEASE_MS } from '../src/scheduler/running-job.js';
import { eventually } from './support/eventually.js';
import { accept } from './support/receiver.js';
import { SkewedClock } from './support/skewed-clock.js';
import { Stage } from './support/stage.js';

jest.setTimeout(90_000);

const LIVE = { rate_limit: 3, scheduler_interval: 1, webhook_timeout: 60, on_uncertain: 'hold' };

describe('a lease that has run out', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.set();
  });
  afterEach(() => stage.strike());

  /** An owner with requests in flight. */
  const owner = async (live: object = LIVE) => {
    const replica = await stage.replica({ ...live });
    stage.receiver.behave = stage.receiver.hold;
    await stage.database.insertMessages(3);
    await eventually(() => expect(stage.receiver.open).toBeGreaterThanOrEqual(1), 10_000);
    return replica;
  };
  const letGo = () => {
    stage.receiver.behave = accept;
    stage.receiver.letGo();
  };
  const sentOnce = async () => {
    await eventually(async () => expect(await stage.sentCount()).toBe(3), 20_000);
    expect(stage.receiver.ledger.map(({ content }) => content).toSorted()).toEqual(['text 1', 'text 2', 'text 3']);
    expect(await stage.database.query(`SELECT outcome FROM delivery_attempts WHERE outcome <> 'accepted'`)).toEqual([]);
  };

  it('by a jump of the clock is no proof for a replica that starts afterwards', async () => {
    const clock = await SkewedClock.install(stage.database);
    await owner();
    await clock.jump(15_000);
    const late = await stage.replica(LIVE);
    // It has looked: slots came due.
    await eventually(async () =>
      expect((await late.get('/scheduler')).json<{ waiting: number }>().waiting).toBeGreaterThan(2),
    );
    letGo();
    await sentOnce();
    await clock.release();
  });

  it('while the whole machine slept is no proof for the one that wakes first', async () => {
    const sleeper = await owner();
    const early = await stage.replica(LIVE);
    for (const { child } of [sleeper, early]) child.kill('SIGSTOP');
    await sleep(LEASE_MS + 2_000);
    letGo();
    early.child.kill('SIGCONT');
    await eventually(async () => expect((await early.get('/health/ready')).status).toBe(200));
    await early.get('/scheduler');
    sleeper.child.kill('SIGCONT');
    await sentOnce();
  });

  it('of one that was killed ends its hold, though the listening connection of the others breaks every few seconds', async () => {
    await stage.database.query(`DO $$ BEGIN
      EXECUTE format('ALTER DATABASE %I SET idle_session_timeout = ''3s''', current_database());
    END $$`);
    const live = { ...LIVE, on_uncertain: 'resend' };
    const killed = await owner(live);
    const survivor = await stage.replica(live);
    await killed.end('SIGKILL');
    letGo();
    await survivor.logged(/took over \d+ messages of a replica that went away/, 2 * LEASE_MS + 5_000);
    expect(survivor.said(/lost the listening connection/).length).toBeGreaterThan(1);
  });

  it('of one that was killed ends its hold, though each of the others lives for a few seconds only', async () => {
    const live = { ...LIVE, on_uncertain: 'resend' };
    const killed = await owner(live);
    await killed.end('SIGKILL');
    letGo();
    const takesOver = async () => {
      const survivor = await stage.replica(live);
      const found = survivor.logged(/took over \d+ messages of a replica that went away/, LEASE_MS / 2);
      const did = await found.then(
        () => true,
        () => false,
      );
      if (!did) await survivor.end('SIGKILL');
      return did;
    };
    let lives = 1;
    while (lives <= 6 && !(await takesOver())) lives += 1;
    expect(lives).toBeLessThanOrEqual(6);
  });
});
