import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accept, answer } from './support/receiver.js';
import { Stage } from './support/stage.js';

jest.setTimeout(60_000);

describe('what one job does', () => {
  let stage: Stage;
  let app: DispatcherProcess;

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false, webhook_concurrency: 1 });
  });
  afterAll(() => stage.strike());
  beforeEach(async () => {
    await app.post('/stop');
    await stage.database.query(`DELETE FROM messages`);
    stage.receiver.ledger.length = 0;
    stage.receiver.behave = accept;
  });

  const rateLimit = async (limit: number) => {
    await app.setLive(stage.live({ auto_sending: false, webhook_concurrency: 1, rate_limit: limit }));
    await eventually(async () => {
      expect((await app.get('/scheduler')).json<{ rate_limit: number }>().rate_limit).toBe(limit);
    });
  };
  const insert = async (...phones: string[]) =>
    await stage.database.query(
      `INSERT INTO messages (recipient_phone, content)
       SELECT phone, 'to ' || position FROM unnest($1::text[]) WITH ORDINALITY AS given (phone, position)`,
      [phones],
    );
  const contents = () => stage.receiver.ledger.map(({ content }) => content);
  /** For each job that made requests, the ids of its messages. */
  const byJob = async () => {
    const rows = await stage.database.query<{ ids: number[] }>(
      `SELECT array_agg(attempt.message_id::int ORDER BY attempt.message_id) AS ids
       FROM delivery_attempts attempt JOIN messages ON messages.id = attempt.message_id
       GROUP BY attempt.job_id ORDER BY attempt.job_id`,
    );
    return rows.map(({ ids }) => ids);
  };
  const isSent = async (id: number | undefined) =>
    await stage.database.value<boolean>(`SELECT sent_status FROM messages WHERE id = $1`, [id]);

  it('takes the oldest messages up to the rate limit, by id', async () => {
    await rateLimit(3);
    const ids = await stage.database.insertMessages(7);
    await app.post('/start');
    await eventually(async () => expect(await stage.sentCount()).toBe(7));
    expect(await byJob()).toEqual([ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
  });

  it('leaves what is inserted meanwhile to the next job', async () => {
    await rateLimit(50);
    const early = await stage.database.insertMessages(10);
    stage.receiver.behave = stage.receiver.hold;
    await app.post('/start');
    await eventually(() => expect(stage.receiver.open).toBe(1));
    const late = await stage.database.insertMessages(1);
    stage.receiver.behave = accept;
    stage.receiver.letGo();
    await eventually(async () => expect(await stage.sentCount()).toBe(11));
    expect(await byJob()).toEqual([early, late]);
  });

  it('counts a failed attempt against the rate limit', async () => {
    await rateLimit(2);
    const [bad, good, next] = await stage.database.insertMessages(3);
    stage.receiver.behave = (received, response) =>
      (received.content === 'text 1' ? answer(503) : accept)(received, response);
    await app.post('/start');
    await eventually(async () => expect(await stage.sentCount()).toBe(2));
    expect((await byJob()).slice(0, 2)).toEqual([[bad, good], [next]]);
  });

  it('does not count a message that is invalid locally, and makes no request for it', async () => {
    await rateLimit(2);
    await insert('nobody', '+905551111111', 'nobody either', '+905552222222', '+905553333333');
    await app.post('/start');
    await eventually(async () => expect(await stage.sentCount()).toBe(3));
    expect(contents()).toEqual(['to 2', 'to 4', 'to 5']);
    expect((await byJob()).map(({ length }) => length)).toEqual([2, 1]);
    const parked = await stage.database.query<{ parked_as: string; parked_reason: string }>(
      `SELECT parked_as, parked_reason FROM messages WHERE parked_as IS NOT NULL`,
    );
    expect(parked).toHaveLength(2);
    for (const row of parked) {
      expect(row).toMatchObject({
        parked_as: 'failed',
        parked_reason: expect.stringContaining('recipient_phone') as string,
      });
    }
  });

  it('marks each message by its own outcome as it comes in, not at the end of the job', async () => {
    await rateLimit(3);
    const [first, failing, last] = await stage.database.insertMessages(3);
    stage.receiver.behave = (received, response) => {
      if (received.content === 'text 2') return answer(422)(received, response);
      return (received.content === 'text 3' ? stage.receiver.hold : accept)(received, response);
    };
    await app.post('/start');
    await eventually(() => expect(stage.receiver.open).toBe(1));
    await eventually(async () => expect(await isSent(first)).toBe(true));
    await eventually(async () => {
      expect(await stage.database.value(`SELECT parked_as FROM messages WHERE id = $1`, [failing])).toBe('failed');
    });
    expect(await isSent(last)).toBe(false);
    stage.receiver.letGo();
    await eventually(async () => expect(await isSent(last)).toBe(true));
  });

  it('does not send what was marked by hand before its turn, and spends none of its budget on it', async () => {
    await rateLimit(5);
    const ids = await stage.database.insertMessages(8);
    stage.receiver.behave = stage.receiver.hold;
    await app.post('/start');
    await eventually(() => expect(stage.receiver.open).toBe(1));
    await stage.database.query(`UPDATE messages SET sent_status = TRUE WHERE id = ANY ($1)`, [[ids[1], ids[5]]]);
    await eventually(async () => expect((await stage.schedule()).waiting).toBeGreaterThanOrEqual(1));
    stage.receiver.behave = accept;
    stage.receiver.letGo();
    await eventually(async () => expect(await stage.sentCount()).toBe(8));
    expect(contents()).toEqual([1, 3, 4, 5, 7, 8].map((number) => `text ${number}`));
    expect((await byJob()).map(({ length }) => length)).toEqual([5, 1]);
    expect(await stage.database.value(`SELECT count(*) FROM messages WHERE claimed_by IS NOT NULL`)).toBe(0);
  });

  it('is not harmed by messages that are deleted while it runs, one in flight among them', async () => {
    await rateLimit(10);
    const ids = await stage.database.insertMessages(10);
    stage.receiver.behave = stage.receiver.hold;
    await app.post('/start');
    await eventually(() => expect(stage.receiver.open).toBe(1));
    await stage.database.query(`DELETE FROM messages WHERE id = ANY ($1)`, [[ids[0], ids[8]]]);
    stage.receiver.behave = accept;
    stage.receiver.letGo();
    await eventually(async () => expect(await stage.sentCount()).toBe(8));
    expect(contents()).not.toContain('text 9');
    await app.logged(/1 outcomes were refused/);
    await eventually(async () => {
      expect((await stage.jobs()).filter(({ state }) => state === 'running')).toEqual([]);
    });
  });

  it('never sends a message again that was sent', async () => {
    await rateLimit(100);
    const ids = await stage.database.insertMessages(20);
    await app.post('/start');
    await eventually(async () => expect(await stage.sentCount()).toBe(20));
    const { id } = (await stage.jobs()).at(-1) ?? { id: 0 };
    await eventually(async () => expect((await stage.jobs()).at(-1)?.id).toBeGreaterThanOrEqual(id + 2));
    expect(contents()).toEqual(ids.map((_, index) => `text ${index + 1}`));
  });
});
