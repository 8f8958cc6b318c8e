import type { ServerResponse } from 'node:http';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accept, answer, type Received } from './support/receiver.js';
import { Stage } from './support/stage.js';

interface Message {
  state: string;
  message_id: string | null;
  charged_attempts: number;
  attempts: { outcome: string; http_status: number | null; error: string | null; duration_ms: number }[];
}

const KEY = 'INS.me1x9uMcyYGlhKKQVPoc.bO3j9aZwRTOcA2Ywo';
const UUID = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/;

describe('the request to the webhook', () => {
  let stage: Stage;
  let app: DispatcherProcess;
  /** A fleet of its own with a database of its own, and every setting of the webhook but its address left out. */
  let other: Stage;
  let otherApp: DispatcherProcess;
  const live = (more: object = {}) =>
    stage.live({ rate_limit: 100, webhook_auth_key: KEY, webhook_timeout: 1, retry_schedule: [1], ...more });

  const insert = async (...contents: string[]): Promise<number[]> => {
    const rows = await stage.database.query<{ id: number }>(
      `INSERT INTO messages (recipient_phone, content) SELECT '+905551111111', unnest($1::text[]) RETURNING id`,
      [contents],
    );
    return rows.map((row) => row.id);
  };
  const find = async (id: number) => (await app.get(`/messages/${id}`)).json<Message>();
  const sent = async (id: number) =>
    await eventually(async () => {
      const message = await find(id);
      expect(message.state).toBe('sent');
      return message;
    }, 10_000);
  const requestFor = async (content: string, nth = 0): Promise<Received> =>
    await eventually(() => {
      const found = stage.receiver.ledger.filter((received) => received.content === content)[nth];
      if (found === undefined) throw new Error(`no request ${nth} for ${content}`);
      return found;
    }, 10_000);

  beforeAll(async () => {
    [stage, other] = await Promise.all([Stage.set(), Stage.set()]);
    [app, otherApp] = await Promise.all([stage.replica(live()), other.replica({ rate_limit: 1 })]);
    // Answered when its own test looks at it, which is the last one.
    other.receiver.behave = other.receiver.hold;
    await other.database.insertMessages(1);
  });

  afterEach(async () => {
    stage.receiver.behave = accept;
    stage.receiver.letGo();
    await stage.database.query('DELETE FROM messages');
  });

  afterAll(() => Promise.all([stage.strike(), other.strike()]));

  it('is a POST of exactly the documented headers and body, whatever the text holds', async () => {
    const content = 'Çok güzel "quoted" \\ back\nnew line \u2028 😀 </script>';
    const [id = 0] = await insert(content);
    const { method, path, headers, body } = await requestFor(content);

    expect([method, path]).toEqual(['POST', '/webhook']);
    expect(body).toBe(JSON.stringify({ to: '+905551111111', content }));
    const { 'idempotency-key': idempotencyKey, 'x-correlation-id': correlationId, ...others } = headers;
    expect(others).toEqual({
      host: `127.0.0.1:${stage.receiver.port}`,
      connection: 'keep-alive',
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^message-dispatcher\/\d+\.\d+\.\d+$/) as unknown,
      'content-length': String(Buffer.byteLength(body)),
      'x-ins-auth-key': KEY,
    });
    expect(idempotencyKey).toMatch(new RegExp(`-${id}$`));
    expect(correlationId).toMatch(UUID);
  });

  it('leaves the auth key header out when the key is empty', async () => {
    await app.changeLive(live({ webhook_auth_key: '' }));
    await insert('without a key');
    expect(Object.keys((await requestFor('without a key')).headers)).not.toContain('x-ins-auth-key');
    await app.changeLive(live());
  });

  it('goes to the path and the query of webhook_url as they are written', async () => {
    await app.changeLive(live({ webhook_url: `${stage.receiver.url}/a%20b?tenant=x%26y&empty=` }));
    await insert('with a query');
    expect((await requestFor('with a query')).path).toBe('/webhook/a%20b?tenant=x%26y&empty=');
    await app.changeLive(live());
  });

  it('carries the same Idempotency-Key on every attempt at a message, and another for every message', async () => {
    stage.receiver.behave = answer(503);
    await insert('again', 'another');
    const first = await requestFor('again');
    stage.receiver.behave = accept;
    const second = await requestFor('again', 1);
    const neighbour = await requestFor('another');

    expect(second.headers['idempotency-key']).toBe(first.headers['idempotency-key']);
    expect(neighbour.headers['idempotency-key']).not.toBe(first.headers['idempotency-key']);
  });

  it('carries an Idempotency-Key that no other database has, although its ids are the same', async () => {
    await stage.database.query(
      `INSERT INTO messages (id, recipient_phone, content) VALUES (1, '+905551111111', 'one')`,
    );
    const here = await requestFor('one');
    const [there] = await eventually(() => {
      expect(other.receiver.ledger).toHaveLength(1);
      return other.receiver.ledger;
    });
    expect(await other.database.value('SELECT id FROM messages')).toBe(1);
    expect(here.headers['idempotency-key']).toMatch(/-1$/);
    expect(there?.headers['idempotency-key']).toMatch(/-1$/);
    expect(there?.headers['idempotency-key']).not.toBe(here.headers['idempotency-key']);
  });

  it('carries another Idempotency-Key for another message of the same id, as there is after TRUNCATE or a restore', async () => {
    const [id = 0] = await insert('before TRUNCATE');
    expect((await sent(id)).attempts).toHaveLength(1);
    await stage.database.query('TRUNCATE messages');
    await stage.database.query(
      `INSERT INTO messages (id, recipient_phone, content) VALUES ($1, '+905551111111', 'after TRUNCATE')`,
      [id],
    );

    const before = await requestFor('before TRUNCATE');
    const after = await requestFor('after TRUNCATE');
    expect(after.headers['idempotency-key']).toMatch(new RegExp(`-${id}$`));
    expect(after.headers['idempotency-key']).not.toBe(before.headers['idempotency-key']);
    expect((await sent(id)).attempts).toHaveLength(1);
  });

  it('keeps the id that the documented answer brings', async () => {
    const body = '{"message":"Accepted","messageId":"67f2f8a8-ea58-4ed0-a6f9-ff217df4d849"}';
    stage.receiver.behave = answer(202, body, { 'content-type': 'application/json' });
    const [id = 0] = await insert('documented');
    expect((await sent(id)).message_id).toBe('67f2f8a8-ea58-4ed0-a6f9-ff217df4d849');
  });

  it('counts every 2xx as sent, without an id when the body has none that is usable', async () => {
    const answers: Readonly<Record<string, readonly [number, string]>> = {
      'the HTML of a request bin': [200, 'This URL has no default content configured.'],
      nothing: [204, ''],
      'JSON without an id': [202, '{"message":"Accepted"}'],
      'JSON that is no object': [200, 'null'],
      'an id that is an object': [202, '{"messageId":{"a":1}}'],
      'broken JSON': [202, '{"messageId":'],
    };
    stage.receiver.behave = (received, response) => {
      const [status, body] = answers[received.content] ?? [500, ''];
      void answer(status, body, { 'content-type': 'text/html' })(received, response);
    };
    const ids = await insert(...Object.keys(answers));
    for (const [index, [status]] of Object.values(answers).entries()) {
      const attempts = [{ outcome: 'accepted', http_status: status }];
      expect(await sent(ids[index] ?? 0)).toMatchObject({ message_id: null, attempts });
    }
  });

  it('warns once, not for each message, that the answers have no id', async () => {
    const before = app.lines.length;
    stage.receiver.behave = answer(200, 'ok', { 'content-type': 'text/html' });
    const ids = await insert('html 1', 'html 2', 'html 3');
    for (const id of ids) await sent(id);
    const warnings = app.lines.slice(before).filter(({ message }) => /without a usable messageId/.test(message));
    expect(warnings).toEqual([expect.objectContaining({ 'log.level': 'warn' })]);
  });

  it('takes the same id for every message, as a request bin answers', async () => {
    stage.receiver.behave = answer(202, '{"message":"Accepted","messageId":"always-this"}');
    const ids = await insert('same 1', 'same 2', 'same 3');
    for (const id of ids) expect((await sent(id)).message_id).toBe('always-this');
    const listed = (await app.get('/sent')).json<{ message_id: string }[]>();
    expect(listed.map(({ message_id }) => message_id)).toEqual(['always-this', 'always-this', 'always-this']);
    expect(stage.receiver.ledger.filter(({ content }) => content.startsWith('same'))).toHaveLength(3);
  });

  it.each([302, 308])('does not follow a redirect (%i), and takes it for trouble of the channel', async (status) => {
    stage.receiver.behave = answer(status, '', { location: `${stage.receiver.url}/elsewhere` });
    const [first = 0, second = 0] = await insert(`redirected ${status}`, `behind ${status}`);
    await requestFor(`redirected ${status}`);
    const redirected = await eventually(async () => {
      const message = await find(first);
      expect(message.attempts).not.toEqual([]);
      return message;
    });
    const outcome: unknown = expect.objectContaining({ outcome: 'channel', http_status: status });
    // The next slot tries it again.
    expect(redirected.attempts).toEqual(redirected.attempts.map(() => outcome));
    expect(['waiting', 'sending']).toContain(redirected.state);
    expect([redirected.charged_attempts, (await find(second)).charged_attempts]).toEqual([0, 0]);

    stage.receiver.behave = accept;
    await sent(first);
    await sent(second);
    expect(stage.receiver.ledger.filter(({ path }) => path.endsWith('/elsewhere'))).toEqual([]);
  });

  it('reads 64 KiB of an endless answer, counts it as sent, and hangs up', async () => {
    await app.changeLive(live({ webhook_timeout: 60 }));
    let bytes = 0;
    const hungUp = new Promise<void>((resolve) => {
      stage.receiver.behave = (_received, response: ServerResponse) => {
        response.writeHead(202, { 'content-type': 'application/json' });
        response.on('close', resolve);
        const pour = () => {
          while (!response.destroyed && response.write('x'.repeat(16_384))) bytes += 16_384;
        };
        response.on('drain', pour);
        pour();
      };
    });
    const [id = 0] = await insert('endless');
    expect(await sent(id)).toMatchObject({ message_id: null });
    await hungUp;
    // What the kernel buffers on both sides comes on top of what is read.
    expect(bytes).toBeLessThan(16 * 1024 * 1024);
    await app.changeLive(live());
  });

  it('counts a 2xx as sent although its body never ends', async () => {
    stage.receiver.behave = (_received, response) => {
      response.writeHead(202, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{"messageId":"half');
    };
    const [id = 0] = await insert('half');
    expect(await sent(id)).toMatchObject({ message_id: null, attempts: [{ outcome: 'accepted', http_status: 202 }] });
  });

  it('waits for an answer for webhook_timeout and no longer', async () => {
    stage.receiver.behave = stage.receiver.hold;
    const [id = 0] = await insert('hung');
    const attempt = await eventually(async () => {
      const { attempts } = await find(id);
      if (attempts[0] === undefined) throw new Error('no attempt yet');
      return attempts[0];
    });
    expect(attempt).toMatchObject({ outcome: 'uncertain', http_status: null });
    expect(attempt.error).toContain('webhook_timeout');
    expect(attempt.duration_ms).toBeGreaterThanOrEqual(990);
    expect(attempt.duration_ms).toBeLessThan(5_000);
  });

  it('waits 10 s when webhook_timeout says nothing', async () => {
    const attempt = await eventually(async () => {
      const { attempts } = (await otherApp.get('/messages/1')).json<Message>();
      if (attempts[0] === undefined) throw new Error('no attempt yet');
      return attempts[0];
    }, 20_000);
    expect(attempt.duration_ms).toBeGreaterThanOrEqual(9_990);
    expect(attempt.duration_ms).toBeLessThan(15_000);
  });
});
