import { eventually } from './support/eventually.js';
import { serverPort } from './support/server-port.js';
import { Stage } from './support/stage.js';

jest.setTimeout(120_000);

const LIVE = { scheduler_interval: 60, rate_limit: 100, webhook_timeout: 60 };
/** A lease, a second for others, and some time to work. */
const FREE_WITHIN_MS = 20_000;

interface Overview {
  readonly nothing_sent_because: string | null;
  readonly running_jobs: readonly { owner: string | null; note: string | null }[];
}

describe('a replica that stands back while the other one dies', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.set();
  });
  afterEach(async () => await stage.strike());

  const claimed = async () =>
    await stage.database.value<number>(
      'SELECT count(*) FROM messages WHERE claimed_by IS NOT NULL AND NOT sent_status',
    );
  const runs = async () => (await stage.jobs()).at(-1)?.fence ?? 0;

  it('frees what that one had claimed in time', async () => {
    const sick = await stage.replica({ ...LIVE, webhook_url: `http://127.0.0.1:${await serverPort()}/` });
    const overview = async () => (await sick.get('/scheduler')).json<Overview>();
    await stage.database.insertMessages(50);
    // After four runs in vain it stands back for 16 s.
    await eventually(async () => expect(await runs()).toBeGreaterThanOrEqual(4), 40_000);
    await eventually(async () => expect((await overview()).running_jobs).toMatchObject([{ owner: null }]), 20_000);

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
  });
});
