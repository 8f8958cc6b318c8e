import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

jest.setTimeout(120_000);

describe('at the head of the queue', () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await Stage.set();
  });
  afterEach(() => stage.strike());

  it('20,000 messages that cannot be sent, and claims that no job holds, keep nothing from the first slot, and go', async () => {
    const app = await stage.replica({ rate_limit: 2, auto_sending: false, on_uncertain: 'hold' });
    const { database } = stage;
    await database.query(`INSERT INTO messages (recipient_phone, content, claimed_by, claim_fence, next_attempt_at)
      VALUES ('+905551111111', 'stray', 987654, NULL, NULL), ('+905551111111', 'stray', 987654, 3, now() - interval '1 h')`);
    await database.query(`INSERT INTO messages (recipient_phone, content)
      SELECT 'n/a', 'text' FROM generate_series(1, 20000)`);
    await database.insertMessages(10);
    await app.post('/start');
    await eventually(async () => expect(await stage.sentCount()).toBeGreaterThanOrEqual(2), 30_000);
    await eventually(async () => {
      const [first] = (await stage.jobs()).filter(({ attempts }) => attempts > 0);
      expect(first).toMatchObject({ state: 'done', attempts: 2 });
    });
    const jobs = await stage.jobs();
    expect(jobs.findIndex(({ attempts }) => attempts > 0)).toBe(jobs.findIndex(({ state }) => state === 'done'));
    // Beside the jobs, a quarter of a second in each.
    await eventually(
      async () => expect(await database.value(`SELECT count(*) FROM messages WHERE parked_as = 'failed'`)).toBe(20_000),
      30_000,
    );

    await eventually(async () => expect(await stage.sentCount()).toBe(10), 15_000);
    await eventually(async () =>
      expect(
        await database.query(`SELECT parked_as, parked_reason, claimed_by FROM messages WHERE content = 'stray'`),
      ).toEqual(
        ['fresh', 'retry'].map(() => ({
          parked_as: 'uncertain',
          parked_reason: expect.stringContaining('went away') as unknown,
          claimed_by: null,
        })),
      ),
    );
    expect(app.said(/took over \d messages? of a replica that went away/)).not.toEqual([]);
    expect(stage.receiver.ledger.filter(({ content }) => content === 'stray')).toEqual([]);
  });

  it('claims that no job holds are sent again once where on_uncertain is resend, as after a restore', async () => {
    const app = await stage.replica({
      rate_limit: 5,
      auto_sending: false,
      on_uncertain: 'resend',
      retry_schedule: [1],
    });
    const { database, receiver } = stage;
    const claimed = await database.query<{ id: number }>(`
      INSERT INTO messages (recipient_phone, content, claimed_by, claim_fence, next_attempt_at) VALUES
        ('+905551111111', 'fresh', 987654, 3, NULL), ('+905551111111', 'retry', 987654, NULL, now() - interval '1 h')
      RETURNING id`);
    await database.insertMessages(3);
    await app.post('/start');
    await eventually(async () => expect(await stage.sentCount()).toBe(5), 30_000);
    expect(receiver.ledger.map(({ content }) => content).toSorted()).toEqual([
      'fresh',
      'retry',
      'text 1',
      'text 2',
      'text 3',
    ]);
    expect(app.said(/took over 1 messages of a replica that went away: 0 were sent, 1 are uncertain/)).toHaveLength(2);
    for (const { id } of claimed) {
      expect((await app.get(`/messages/${id}`)).json()).toMatchObject({
        state: 'sent',
        doubt: expect.any(String) as unknown,
      });
    }
  });
});
