import { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { answer, Receiver } from './support/receiver.js';
import { TestDatabase } from './support/test-database.js';

interface Message {
  state: string;
  attempts: { outcome: string; http_status: number | null; error: string | null }[];
  [field: string]: unknown;
}

describe('sending', () => {
  let database: TestDatabase;
  let receiver: Receiver;
  let app: DispatcherProcess;
  const live = () => ({
    rate_limit: 2,
    scheduler_interval: 1,
    webhook_url: receiver.url,
    webhook_auth_key: 'INS.me1x9uMcyYGlhKKQVPoc.bO3j9aZwRTOcA2Ywo',
  });

  beforeEach(async () => {
    database = await TestDatabase.create();
    receiver = await Receiver.start();
    app = await DispatcherProcess.start({
      env: { APP_DB_URL: database.url },
      live: { ...live(), auto_sending: false },
    });
  });

  afterEach(async () => {
    await app.dispose();
    await receiver.stop();
    await database.drop();
  });

  const message = async (id: number) => (await app.get(`/messages/${id}`)).json<Message>();

  it('posts the oldest messages in the documented form and marks each as sent', async () => {
    const ids = await database.insertMessages(3);
    await app.post('/start');
    await eventually(() => expect(receiver.ledger).toHaveLength(3));

    expect(receiver.ledger.slice(0, 2).map(({ content }) => content)).toEqual(['text 1', 'text 2']);
    const [first] = receiver.ledger;
    expect(first).toMatchObject({
      method: 'POST',
      path: '/webhook',
      body: '{"to":"+9055500000001","content":"text 1"}',
    });
    expect(first?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^message-dispatcher\/\d+\.\d+\.\d+$/) as unknown,
      'x-ins-auth-key': 'INS.me1x9uMcyYGlhKKQVPoc.bO3j9aZwRTOcA2Ywo',
    });
    await eventually(async () => expect((await app.get('/sent')).json<unknown[]>()).toHaveLength(3));
    expect((await app.get('/sent')).json<{ id: number }[]>().map(({ id }) => id)).toEqual(ids.toReversed());
    const slots = await database.query<{ due: number }>(
      `SELECT round(extract(epoch FROM due_at) * 1000)::float8 AS due
       FROM delivery_attempts attempt JOIN dispatch_jobs job ON job.id = attempt.job_id ORDER BY message_id`,
    );
    const due = slots[0]?.due ?? Number.NaN;
    expect(slots.map((slot) => slot.due - due)).toEqual([0, 0, 1000]);
    expect(receiver.ledger[2]?.wallAt).toBeGreaterThanOrEqual(due + 1000);
  });

  it('keeps a message that fails unsent, shows the attempt, and blocks nobody behind it', async () => {
    const [bad = 0, worse = 0, good = 0] = await database.insertMessages(3);
    receiver.behave = (received, response) =>
      (received.content === 'text 3' ? answer(202, '{"messageId":"m-3"}') : answer(500, 'out of order'))(
        received,
        response,
      );
    await app.post('/start');
    await eventually(async () => expect((await message(good)).state).toBe('sent'), 8_000);

    for (const id of [bad, worse]) {
      const { state, attempts, next_attempt_at } = await message(id);
      expect(state).toBe('waiting');
      expect(attempts).toMatchObject([{ outcome: 'unavailable', http_status: 500, response_excerpt: 'out of order' }]);
      expect(Date.parse(String(next_attempt_at))).toBeGreaterThan(Date.now());
    }
  });
});
