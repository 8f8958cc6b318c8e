import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './support/eventually.js';
import { accept, type Behaviour } from './support/receiver.js';
import { RestTraffic } from './support/rest-traffic.js';
import { RollingFleet } from './support/rolling-fleet.js';
import { readRolloutTimings, type RolloutTimings } from './support/rollout-timings.js';
import { Stage } from './support/stage.js';

jest.setTimeout(240_000);

/** Endpoints reach the nodes within a second or two; this is on the slow side, and below preStop. */
const LAG_MS = 3_000;
const SHUTDOWN_LIMIT_MS = 15_000;

/** A job takes several seconds, and there is one for each replica, the additional one too: hardly ever is one idle. */
const LIVE = { rate_limit: 200, scheduler_workers: 4, webhook_concurrency: 4 };
const answerSlowly: Behaviour = async (received, response) => {
  await sleep(150);
  await accept(received, response);
};

/** Replicas that send, and callers of their API, while every replica is replaced. */
async function rehearse(timings: RolloutTimings) {
  const stage = await Stage.set();
  stage.receiver.behave = answerSlowly;
  const fleet = await RollingFleet.start(timings, {
    env: { APP_DB_URL: stage.database.url },
    live: stage.live(LIVE),
    lagMs: LAG_MS,
    hasJob: async (pid) =>
      (await stage.jobs()).some(({ state, owner }) => state === 'running' && owner?.includes(`/${pid}/`)),
  });
  const traffic = new RestTraffic(fleet.service.origin, 6, 50);
  try {
    await eventually(() => expect(stage.receiver.ledger.length).toBeGreaterThan(20), 10_000);
    const ends = await fleet.rollOut();
    await traffic.stop();
    const sentMeanwhile = stage.receiver.ledger.length;
    stage.receiver.behave = accept;
    const unsent = () => stage.database.value<number>('SELECT count(*) FROM messages WHERE NOT sent_status');
    await eventually(async () => expect(await unsent()).toBe(0), 60_000);

    const arrived = stage.receiver.ledger.map(({ content }) => content);
    const once = new Set(arrived);
    return {
      ends,
      sentMeanwhile,
      fewestReady: fleet.fewestReady,
      calls: traffic.calls,
      failures: traffic.failures,
      stored: traffic.stored.length,
      lost: traffic.stored.filter((content) => !once.has(content)).length,
      doubled: arrived.length - once.size,
    };
  } finally {
    await traffic.stop();
    await fleet.dispose();
    await stage.strike();
  }
}

describe('a rollout with the timings of deploy/kubernetes', () => {
  it('replaces three replicas in mid-job: no call to the API fails, no message is lost and none sent twice', async () => {
    const timings = await readRolloutTimings();
    const { ends, failures, fewestReady, ...figures } = await rehearse(timings);
    process.stderr.write(`rollout: ${JSON.stringify({ ...figures, ends })}\n`);
    expect(ends).toHaveLength(3);
    for (const { code, killed, tookMs } of ends) {
      expect({ code, killed }).toEqual({ code: 0, killed: false });
      expect(tookMs).toBeLessThan(SHUTDOWN_LIMIT_MS);
    }
    expect(ends.some(({ inMidJob }) => inMidJob)).toBe(true);
    expect(fewestReady).toBeGreaterThanOrEqual(timings.replicas - timings.maxUnavailable);
    expect(failures).toEqual([]);
    expect(figures.calls).toBeGreaterThan(200);
    expect(figures.sentMeanwhile).toBeGreaterThan(200);
    expect(figures).toMatchObject({ lost: 0, doubled: 0 });
  });
});

describe('a rollout without preStop and without grace', () => {
  it('fails calls and sends messages twice, so that the rehearsal would tell', async () => {
    const timings = await readRolloutTimings();
    const hasty = { ...timings, replicas: 2, minReadyMs: 0, preStopMs: 0, graceMs: 0 };
    const { ends, failures, lost, doubled } = await rehearse(hasty);
    expect(ends.map(({ killed }) => killed)).toEqual([true, true]);
    expect(failures.length).toBeGreaterThan(0);
    expect(doubled).toBeGreaterThan(0);
    expect(lost).toBe(0);
  });
});
