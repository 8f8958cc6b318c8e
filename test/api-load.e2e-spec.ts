import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

jest.setTimeout(60_000);

interface Refusal {
  readonly code: string;
}

describe('callers whose statements hang', () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await Stage.set();
  });
  afterEach(() => stage.strike());

  it('are told so after 5 s and delay no claim, no settlement, no turn and no readiness probe', async () => {
    const app = await stage.replica({ rate_limit: 2 });
    const holder = await stage.database.connect();
    holder.on('error', () => undefined);
    await holder.query('BEGIN; LOCK TABLE intake_keys IN ACCESS EXCLUSIVE MODE');
    const store = async (key: string) =>
      await app.request(
        'POST',
        '/messages',
        { recipient_phone: '+905551111111', content: 'x' },
        { 'idempotency-key': key },
      );
    const calls = Array.from({ length: 40 }, (_, index) => store(`key ${index}`));
    await eventually(async () => expect((await stage.database.blocked()).length).toBeGreaterThanOrEqual(5));

    const ids = await stage.database.insertMessages(6);
    const storedAt = performance.now();
    await eventually(async () => expect(await stage.sentCount()).toBe(ids.length), 20_000);
    // Three slots of a second each; with shared connections nothing is sent before the calls give up.
    expect(performance.now() - storedAt).toBeLessThan(5_000);
    expect((await app.get('/health/ready')).status).toBe(200);

    const replies = await Promise.all(calls);
    await holder.end();
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([503]));
    expect(replies[0]?.json<Refusal>().code).toBe('database.timeout');
    expect(replies.every(({ headers }) => headers.get('retry-after') === '1')).toBe(true);
    expect((await store('key 0')).status).toBe(201);
  });
});
