import { eventually } from './support/eventually.js';
import { Receiver } from './support/receiver.js';
import { serverPort } from './support/server-port.js';
import { Stage } from './support/stage.js';

jest.setTimeout(120_000);

const LIVE = { scheduler_interval: 60, rate_limit: 100, webhook_timeout: 60 };
/** A second, and what a busy machine adds. */
const AT_ONCE_MS = 3_000;
/** A lease, a second for others, and some time to work. */
const FREE_WITHIN_MS = 20_000;

interface Overview {
  readonly nothing_sent_because: string | null;
  readonly this_replica: { readonly tries_again_at: string | null };
  readonly running_jobs: readonly { owner: string | null; note: string | null }[];
}

describe('a replica that stands back', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.set();
  });
  afterEach(async () => await stage.strike());

  const claimed = async () =>
    await stage.database.value<number>(
      'SELECT count(*) FROM messages WHERE claimed_by IS NOT NULL AND NOT sent_status',
    );

  it('frees in time what a dead one had claimed, and sends at once when its way may be mended', async () => {
    const port = await serverPort();
    const nowhere = `http://127.0.0.1:${port}/`;
    const sick = await stage.replica({ ...LIVE, webhook_url: nowhere });
    const overview = async () => (await sick.get('/scheduler')).json<Overview>();
    const restMs = async () => Date.parse((await overview()).this_replica.tries_again_at ?? '') - Date.now();
    await stage.database.insertMessages(50);
    // After four runs in vain it stands back for 16 s.
    await eventually(async () => expect(await restMs()).toBeGreaterThan(10_000), 40_000);
    expect((await overview()).nothing_sent_because).toMatch(/in trouble: .*; this replica tries again at 20/);

    stage.receiver.behave = stage.receiver.hold;
    const other = await stage.replica(LIVE);
    await eventually(() => expect(stage.receiver.ledger.length).toBeGreaterThanOrEqual(2), 20_000);
    const [job] = (await overview()).running_jobs;
    expect(job?.owner).toMatch(/./);
    await other.end('SIGKILL');
    const killedAt = performance.now();
    expect(await claimed()).toBeGreaterThanOrEqual(2);

    await eventually(
      async () => expect((await overview()).nothing_sent_because).toContain(`${job?.owner} went silent`),
      15_000,
    );
    await eventually(async () => expect(await claimed()).toBe(0), FREE_WITHIN_MS);
    expect(performance.now() - killedAt).toBeLessThan(FREE_WITHIN_MS);
    await eventually(async () => {
      const { nothing_sent_because: why, running_jobs: jobs } = await overview();
      expect(why).toMatch(/in trouble: .*; the replica .* went silent, its job was taken over at/);
      expect(jobs).toMatchObject([{ owner: null, note: 'left to others' }]);
    });

    expect(await restMs()).toBeGreaterThan(5_000);
    const before = stage.receiver.ledger.length;
    await sick.changeLive({ ...LIVE, webhook_url: stage.receiver.url });
    await eventually(() => expect(stage.receiver.ledger.length).toBeGreaterThan(before), AT_ONCE_MS);
    expect((await overview()).this_replica.tries_again_at).toBeNull();

    await sick.changeLive({ ...LIVE, webhook_url: nowhere });
    stage.receiver.letGo();
    await eventually(async () => expect(await restMs()).toBeGreaterThan(10_000), 40_000);
    const mended = await Receiver.start(port);
    try {
      await sick.post('/start');
      await eventually(() => expect(mended.ledger.length).toBeGreaterThan(0), AT_ONCE_MS);
    } finally {
      await mended.stop();
    }
  });
});
