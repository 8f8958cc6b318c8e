import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

jest.setTimeout(60_000);

describe('a replica without webhook_url', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.set();
  });
  afterEach(() => stage.strike());

  const NOTE = 'webhook_url is not set';
  const wasted = async (fromId: number) =>
    await stage.database.value<number>(
      `SELECT count(*) FROM dispatch_jobs WHERE note LIKE '%' || $1 || '%' AND id > $2`,
      [NOTE, fromId],
    );
  const lastJob = async () => (await stage.jobs()).at(-1)?.id ?? 0;

  it('lets slots pass while it is alone, and leaves each slot and each waiting job to one that can send', async () => {
    const unable = await stage.replica({ webhook_url: undefined, scheduler_interval: 1 });
    await stage.database.insertMessages(60);
    await eventually(async () => expect(await wasted(0)).toBeGreaterThanOrEqual(2), 15_000);
    expect((await unable.get('/scheduler')).json()).toMatchObject({
      nothing_sent_because: expect.stringMatching(`${NOTE}.* on this replica`) as unknown,
    });
    expect((await unable.get('/health/ready')).status).toBe(503);

    await stage.replica({ scheduler_interval: 1 });
    await eventually(async () => expect(await stage.sentCount()).toBeGreaterThanOrEqual(1), 15_000);
    const since = await lastJob();
    await eventually(async () => expect(await lastJob()).toBeGreaterThanOrEqual(since + 8), 15_000);
    expect(await wasted(since)).toBe(0);

    // As after a downtime: many jobs wait, one after the other.
    await stage.database.query(
      `INSERT INTO dispatch_jobs (due_at, state) SELECT now(), 'waiting' FROM generate_series(1, 30)`,
    );
    await stage.database.query(`UPDATE scheduler_state SET version = version + 1`);
    await eventually(async () => expect(await stage.sentCount()).toBeGreaterThanOrEqual(38), 30_000);
    expect(await wasted(since)).toBe(0);
  });
});
