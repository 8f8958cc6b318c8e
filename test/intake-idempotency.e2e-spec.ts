import type { DispatcherProcess, Reply } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

const message = { recipient_phone: '+905551111111', content: 'Insider - Project' };

const code = (reply: Reply) => reply.json<{ code?: string }>().code;

describe('Idempotency-Key on POST /messages', () => {
  let stage: Stage;
  let apps: readonly [DispatcherProcess, DispatcherProcess];

  beforeAll(async () => {
    stage = await Stage.set();
    apps = [await stage.replica({ auto_sending: false }), await stage.replica({ auto_sending: false })];
  });
  afterEach(() => stage.database.query('TRUNCATE messages, intake_keys RESTART IDENTITY'));
  afterAll(() => stage.strike());

  const post = async (key: string, body: unknown = message, app = apps[0]): Promise<Reply> =>
    await app.request('POST', '/messages', body, { 'idempotency-key': key });
  const storedCount = async () => await stage.database.value<number>('SELECT count(*) FROM messages');

  it.each([
    ['a message', message],
    ['a list', [message, message]],
  ])('makes %s be stored once, and answered alike by every replica', async (_what, body) => {
    const first = await post('key-1', body);
    expect([first.status, first.headers.get('idempotent-replayed')]).toEqual([201, null]);
    const stored = await storedCount();
    const again = await post('key-1', body, apps[1]);
    expect([again.status, again.text]).toEqual([201, first.text]);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'));
    expect(await storedCount()).toBe(stored);
  });

  it('answers with what was, though the message has been sent meanwhile', async () => {
    const first = await post('key-1');
    await stage.database.query('UPDATE messages SET sent_status = TRUE');
    expect((await post('key-1')).text).toBe(first.text);
  });

  it('stores again under another key, and without one', async () => {
    for (const key of ['key-1', 'key-2']) expect((await post(key)).status).toBe(201);
    expect((await apps[0].post('/messages', message)).status).toBe(201);
    expect(await storedCount()).toBe(3);
  });

  it('refuses another body under the same key', async () => {
    await post('key-1');
    const reply = await post('key-1', { ...message, content: 'something else' });
    expect([reply.status, code(reply)]).toEqual([422, 'messages.idempotency_key_reused']);
    expect(await storedCount()).toBe(1);
  });

  it('keeps no key of a request that was refused', async () => {
    expect((await post('key-1', [{ ...message, content: '' }])).status).toBe(400);
    expect((await post('key-1')).status).toBe(201);
  });

  it('refuses a body that is nested too deeply to be compared, as it does without a key', async () => {
    const body = '['.repeat(20_000) + ']'.repeat(20_000);
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'key-1' };
    const reply = await fetch(`${apps[0].origin}/messages`, { method: 'POST', headers, body });
    expect([reply.status, await reply.json()]).toEqual([400, expect.objectContaining({ code: 'request.too_complex' })]);
  });

  it('answers 409 while the first is under way, and the same as to the first after it', async () => {
    const blocker = await stage.database.connect();
    try {
      await blocker.query('BEGIN; LOCK TABLE messages IN SHARE MODE');
      const first = post('key-1');
      await eventually(async () =>
        expect(
          await stage.database.value(
            `SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
             WHERE datname = current_database() AND NOT granted AND mode = 'RowExclusiveLock'`,
          ),
        ).toBe(1),
      );
      const second = await post('key-1', message, apps[1]);
      expect([second.status, code(second)]).toEqual([409, 'messages.idempotency_key_in_use']);
      await blocker.query('ROLLBACK');
      expect((await first).status).toBe(201);
      expect((await post('key-1', message, apps[1])).text).toBe((await first).text);
    } finally {
      await blocker.end();
    }
  });

  it('stores one message for twenty requests at once', async () => {
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, n) => post('key-1', message, apps[n % 2 ? 1 : 0])),
    );
    const statuses = replies.map(({ status }) => status);
    expect(statuses).toContain(201);
    expect(statuses.filter((status) => status !== 201 && status !== 409)).toEqual([]);
    expect(await storedCount()).toBe(1);
  });

  it.each([
    ['of 255 characters', 'k'.repeat(255), 201],
    ['in quotes, as the draft writes it', '"8e03978e-40d5-43dd-bc93-6894a57f9324"', 201],
    ['of 256 characters', 'k'.repeat(256), 400],
    ['that is empty', '', 400],
    ['with a tab', 'a\tb', 400],
    ['that is not ASCII', 'clé', 400],
  ])('a key %s', async (_what, key, status) => {
    const reply = await post(key);
    expect(reply.status).toBe(status);
    if (status === 400) expect(code(reply)).toBe('request.invalid');
  });

  it('keeps a key for a day', async () => {
    const first = await post('key-1');
    await stage.database.query(`UPDATE intake_keys SET created_at = now() - interval '23 hours 59 minutes'`);
    await post('key-2');
    expect((await post('key-1')).text).toBe(first.text);
  });
});
