import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';
import { TcpProxy } from './support/tcp-proxy.js';

jest.setTimeout(60_000);

/** So long each answer of PostgreSQL is on its way. */
const AWAY_MS = 100;

describe('a replica far from its database', () => {
  let stage: Stage;
  let proxy: TcpProxy;
  beforeEach(async () => {
    stage = await Stage.set();
    proxy = await TcpProxy.to(stage.database.url);
  });
  afterEach(async () => {
    await stage.strike();
    await proxy.stop();
  });

  it('takes slots so early that their requests leave at their time, and never before it', async () => {
    await stage.replica({ scheduler_interval: 2, rate_limit: 1 }, { APP_DB_URL: proxy.url });
    await stage.database.insertMessages(60);
    await eventually(async () => expect(await stage.sentCount()).toBeGreaterThanOrEqual(1), 20_000);
    proxy.delay(AWAY_MS);
    const known = (await stage.jobs()).length + 2;
    await eventually(async () => expect(await stage.sentCount()).toBeGreaterThanOrEqual(known + 6), 40_000);

    const rows = await stage.database.query<{ id: number; due: number }>(
      `SELECT attempt.message_id AS id, extract(epoch FROM due_at)::float8 * 1000 AS due
       FROM delivery_attempts attempt JOIN dispatch_jobs job ON job.id = attempt.job_id WHERE job.id > $1 ORDER BY job.id`,
      [known],
    );
    const arrivedAt = new Map(stage.receiver.ledger.map(({ content, wallAt }) => [content, wallAt]));
    const lateMs = rows.map(({ id, due }) => (arrivedAt.get(`text ${id}`) ?? Number.NaN) - due);
    expect(Math.min(...lateMs)).toBeGreaterThanOrEqual(0);
    // What the clock says is known as late as its answer comes; four ways one after another, which the job needs, are not.
    expect(lateMs.toSorted((left, right) => left - right)[0]).toBeLessThan(2 * AWAY_MS);
    expect(lateMs.filter((late) => late < 3 * AWAY_MS).length).toBeGreaterThan(lateMs.length / 2);
  });
});
