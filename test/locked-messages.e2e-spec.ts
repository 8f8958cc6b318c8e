import type { Client } from 'pg';
import { watchDoneJobs } from './support/done-jobs.js';
import { eventually } from './support/eventually.js';
import { accept } from './support/receiver.js';
import { Stage } from './support/stage.js';

jest.setTimeout(60_000);

/** The service's own limit for a query that is not answered. */
const QUERY_TIMEOUT_MS = 8_000;
/** A crashed owner's job passes on after its lease of 10 s. */
const TAKEN_OVER_MS = 20_000;

describe('while a transaction keeps a message locked', () => {
  let stage: Stage;
  let other: Client;

  beforeEach(async () => {
    stage = await Stage.set();
    other = await stage.database.connect();
    await other.query('BEGIN');
  });
  afterEach(async () => {
    await other.end();
    await stage.strike();
  });

  const lock = async (id: number | undefined) =>
    await other.query('SELECT FROM messages WHERE id = $1 FOR UPDATE', [id]);
  const contents = () => stage.receiver.ledger.map(({ content }) => content);
  const claimed = () => stage.database.value<number>(`SELECT count(*) FROM messages WHERE claimed_by IS NOT NULL`);

  it('that is claimed and waits for its turn, the job sends the others, and it goes out when it is free', async () => {
    const app = await stage.replica({ rate_limit: 4, webhook_concurrency: 1 });
    const watch = await watchDoneJobs(stage.database);
    stage.receiver.behave = stage.receiver.hold;
    const [, , , last] = await stage.database.insertMessages(4);
    await eventually(() => expect(stage.receiver.open).toBe(1));
    await eventually(async () => expect(await claimed()).toBe(4));
    await lock(last);
    // What has waited for half a second is claimed anew.
    await eventually(async () => {
      const waited = `SELECT clock_timestamp() - started_at > interval '1 s' FROM dispatch_jobs WHERE state = 'running'`;
      expect(await stage.database.value(waited)).toBe(true);
    });
    stage.receiver.behave = accept;
    stage.receiver.letGo();
    await eventually(async () => expect(await stage.sentCount()).toBe(3), QUERY_TIMEOUT_MS - 2_000);
    expect(contents()).toEqual(['text 1', 'text 2', 'text 3']);

    await other.query('COMMIT');
    await eventually(async () => expect(await stage.sentCount()).toBe(4));
    expect(contents()).toEqual(['text 1', 'text 2', 'text 3', 'text 4']);
    expect(await claimed()).toBe(0);
    expect(app.said(/no messages could be claimed|a job failed/)).toEqual([]);
    const jobs = (await stage.jobs()).filter(({ attempts }) => attempts > 0);
    expect(jobs).toMatchObject([{ attempts: 3 }, { attempts: 1 }]);
    expect(await watch.leftClaimed()).toEqual([]);
  });

  it('whose pause is over, everything else is sent', async () => {
    const app = await stage.replica({ rate_limit: 5, auto_sending: false });
    const [pausing] = await stage.database.insertMessages(3);
    await stage.database.query(`UPDATE messages SET next_attempt_at = now() WHERE id = $1`, [pausing]);
    await lock(pausing);
    await app.post('/start');
    await eventually(async () => expect(await stage.sentCount()).toBe(2), QUERY_TIMEOUT_MS - 2_000);
    await other.query('COMMIT');
    await eventually(async () => expect(await stage.sentCount()).toBe(3));
    expect(app.said(/a job failed/)).toEqual([]);
  });

  it('of a crashed replica, its successor settles the others, may be stopped, and settles that one when it is free', async () => {
    const crashed = await stage.replica({ rate_limit: 3, webhook_concurrency: 1, on_uncertain: 'hold' });
    stage.receiver.behave = stage.receiver.hold;
    const [, , last] = await stage.database.insertMessages(3);
    await eventually(async () => expect(await claimed()).toBe(3));
    await crashed.end('SIGKILL');
    await lock(last);
    const successor = await stage.successor(crashed);
    const watch = await watchDoneJobs(stage.database);
    await successor.logged(/took over 2 messages of a replica that went away/, TAKEN_OVER_MS);
    expect(await claimed()).toBe(1);
    const stop = await successor.post('/stop');
    expect(stop.status).toBe(200);

    await other.query('COMMIT');
    await successor.logged(/took over 1 messages of a replica that went away/, TAKEN_OVER_MS);
    // It is kept in unwritten_outcomes, which is tried again after 1, 2, 4 … s.
    await eventually(async () => expect(await claimed()).toBe(0), 40_000);
    expect(await stage.database.value(`SELECT count(*) FROM messages WHERE parked_as = 'uncertain'`)).toBe(3);
    await eventually(async () => {
      expect((await stage.jobs()).filter(({ state }) => state === 'running')).toEqual([]);
    });
    expect(await watch.leftClaimed()).toEqual([]);
  });

  it('or the whole table, GET /scheduler tells why nothing is sent, and goes on when it is free', async () => {
    const app = await stage.replica({ rate_limit: 5 });
    await stage.database.insertMessages(1);
    await eventually(async () => expect(await stage.sentCount()).toBe(1));
    const told = async () =>
      (await app.get('/scheduler')).json<{ nothing_sent_because: string | null }>().nothing_sent_because;
    expect(await told()).toBeNull();
    await app.post('/stop');
    await stage.database.insertMessages(1);
    // A company's script that changes every row: others may read, and not claim.
    await other.query('LOCK TABLE messages IN EXCLUSIVE MODE');
    await app.post('/start');
    await eventually(
      async () => expect(await told()).toMatch(/cannot be claimed: SQLSTATE 55P03|has run since|sent nothing/),
      30_000,
    );
    await other.query('COMMIT');
    await eventually(async () => expect(await stage.sentCount()).toBe(2), QUERY_TIMEOUT_MS + 10_000);
    await eventually(async () => expect(await told()).toBeNull());
  });
});
