import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { DispatcherProcess, Reply } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { nextPage } from './support/next-page.js';
import { Stage } from './support/stage.js';
import { TcpProxy } from './support/tcp-proxy.js';

interface Refusal {
  error: string;
  code: string;
  fields?: { field: string; error: string }[];
  results?: { index: number; status: string; id?: number; errors?: { field: string; error: string }[] }[];
}

const PHONE = '+905551111111';
const good = { recipient_phone: PHONE, content: 'Insider - Project' };
const because = (chars: number) => JSON.stringify({ reason: 'x'.repeat(chars) });
const hearNothing: (asked: string) => void = () => undefined;
/** One character that takes the most room of all in JSON: twelve bytes when it is escaped. */
const EMOJI = '😀';
/** A message with 420,000 fields, in 4 MB. */
const FIELDS = JSON.stringify(Object.fromEntries(Array.from({ length: 420_000 }, (_, at) => [at.toString(36), 0])));

describe('POST /messages', () => {
  let stage: Stage;
  let app: DispatcherProcess;
  const stored = async () => await stage.database.value<number>('SELECT count(*) FROM messages');

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false });
  });
  afterEach(() => stage.database.query('TRUNCATE messages RESTART IDENTITY'));
  afterAll(() => stage.strike());

  const refused = async (reply: Reply, status = 400): Promise<Refusal> => {
    expect(reply.status).toBe(status);
    expect(reply.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await stored()).toBe(0);
    return reply.json<Refusal>();
  };

  it('stores one message and answers with it', async () => {
    const reply = await app.post('/messages', good);
    expect(reply.status).toBe(201);
    expect(reply.json()).toEqual({
      ...good,
      id: 1,
      sent_status: false,
      sent_at: null,
      message_id: null,
      state: 'waiting',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown,
      charged_attempts: 0,
      uncharged_attempts: 0,
      doubt: null,
      next_attempt_at: null,
      parked_reason: null,
      parked_at: null,
    });
    expect((await app.get('/messages/1')).json()).toEqual({
      ...reply.json<object>(),
      attempts: [],
      attempts_next: null,
    });
  });

  it('stores a list in its order and answers with a result per item', async () => {
    const reply = await app.post('/messages', [good, { ...good, content: 'second' }]);
    expect(reply.status).toBe(201);
    expect(reply.json()).toEqual({
      results: [
        { index: 0, status: 'accepted', id: 1 },
        { index: 1, status: 'accepted', id: 2 },
      ],
    });
    expect(await stage.database.query('SELECT content FROM messages ORDER BY id')).toEqual([
      { content: good.content },
      { content: 'second' },
    ]);
  });

  it('takes a list of 1,000 of the longest messages, even with every character escaped', async () => {
    const escaped = EMOJI.repeat(160).replaceAll(EMOJI, String.raw`\ud83d\ude00`);
    const item = `{"recipient_phone":"${PHONE}","content":"${escaped}"}`;
    const reply = await app.post('/messages', `[${Array.from({ length: 1000 }, () => item).join(',')}]`);
    expect(reply.status).toBe(201);
    expect(reply.json<Refusal>().results).toHaveLength(1000);
    expect(await stage.database.value(`SELECT count(*) FROM messages WHERE content = repeat('😀', 160)`)).toBe(1000);
  });

  it('refuses a list of 1,001, naming the limit, and stores none', async () => {
    const { error, code } = await refused(
      await app.post(
        '/messages',
        Array.from({ length: 1001 }, () => good),
      ),
    );
    expect(code).toBe('request.invalid');
    expect(error).toContain('at most 1000 messages');
  });

  it('refuses an empty list', async () => {
    expect((await refused(await app.post('/messages', []))).error).toContain('at least 1 message');
  });

  it('stores all of a list or nothing, and says which item is at fault', async () => {
    const reply = await app.post('/messages', [good, { ...good, content: 'x'.repeat(161) }, 7, { ...good, extra: 1 }]);
    const { code, results } = await refused(reply);
    expect(code).toBe('messages.invalid');
    expect(results).toEqual([
      { index: 0, status: 'not_stored' },
      {
        index: 1,
        status: 'invalid',
        errors: [{ field: 'content', error: expect.stringMatching(/at most 160 characters, got 161/) as unknown }],
      },
      { index: 2, status: 'invalid', errors: [expect.anything()] },
      { index: 3, status: 'invalid', errors: [{ field: 'extra', error: expect.any(String) as unknown }] },
    ]);
  });

  it.each([
    ['letters', 'x'.repeat(160)],
    ['emoji, which are one character each', EMOJI.repeat(160)],
    ['characters outside ASCII', 'ğ'.repeat(160)],
    ['one character', 'x'],
    ['markup and quotes', `</script>'"; DROP TABLE messages; --`],
    ['line breaks and control characters', 'a\r\n\t\u0001\u2028b'],
  ])('takes a content of up to 160 characters as it is: %s', async (_what, content) => {
    const reply = await app.post('/messages', { ...good, content });
    expect(reply.status).toBe(201);
    expect(reply.json<typeof good>().content).toBe(content);
    expect(await stage.database.value('SELECT content FROM messages')).toBe(content);
  });

  it.each([
    ['161 letters', { ...good, content: 'x'.repeat(161) }, 'content', 'at most 160 characters, got 161'],
    ['161 emoji', { ...good, content: EMOJI.repeat(161) }, 'content', 'at most 160 characters, got 161'],
    ['no content', { recipient_phone: PHONE }, 'content', ''],
    ['an empty content', { ...good, content: '' }, 'content', 'must not be empty'],
    ['a NUL', { ...good, content: 'a\0b' }, 'content', 'NUL'],
    ['a lone surrogate', { ...good, content: 'a\ud83d' }, 'content', 'surrogate'],
    ['a content that is a number', { ...good, content: 5 }, 'content', 'must be text'],
    ['a content that is null', { ...good, content: null }, 'content', 'must be text'],
    ['a content that is a list', { ...good, content: ['x'] }, 'content', 'must be text'],
    ['no recipient', { content: 'x' }, 'recipient_phone', ''],
    ['an empty recipient', { ...good, recipient_phone: '' }, 'recipient_phone', '3 to 15 digits'],
    ['a recipient that is a number', { ...good, recipient_phone: 905551111111 }, 'recipient_phone', 'must be text'],
    ['a recipient of words', { ...good, recipient_phone: 'call me' }, 'recipient_phone', '3 to 15 digits'],
    ['a recipient of 16 digits', { ...good, recipient_phone: '1'.repeat(16) }, 'recipient_phone', '3 to 15 digits'],
    ['a NUL in the recipient', { ...good, recipient_phone: '+90555\0' }, 'recipient_phone', '3 to 15 digits'],
    ['a recipient as long as a book', { ...good, recipient_phone: '-'.repeat(100_000) }, 'recipient_phone', ''],
    ['an unknown field', { ...good, sent_status: true }, 'sent_status', 'not a known field'],
    ['an id', { ...good, id: 7 }, 'id', 'not a known field'],
  ])('refuses %s, naming the field and the limit, and stores nothing', async (_what, body, field, limit) => {
    const { error, code, fields } = await refused(await app.post('/messages', body));
    expect(code).toBe('request.invalid');
    expect(fields).toEqual([expect.objectContaining({ field })]);
    expect(error).toContain(field);
    expect(error).toContain(limit);
  });

  it('names every field that is wrong at once', async () => {
    const { fields } = await refused(await app.post('/messages', { recipient_phone: 'x', content: '', colour: 1 }));
    expect(fields?.map(({ field }) => field).toSorted()).toEqual(['colour', 'content', 'recipient_phone']);
  });

  it.each(['7', '"text"', 'true', 'null'])('refuses %s in place of a message', async (body) => {
    expect(await refused(await app.post('/messages', body))).toMatchObject({ code: 'request.invalid' });
  });

  it.each([
    ['broken JSON', '{"content":', 400, 'request.invalid_json'],
    ['a body of 5 MB', 'x'.repeat(5_000_000), 413, 'request.too_large'],
    ['5 MB in one content', JSON.stringify({ ...good, content: 'x'.repeat(5_000_000) }), 413, 'request.too_large'],
    ['JSON that is a million brackets deep', '['.repeat(1_000_000), 400, 'request.too_complex'],
    ['a list of lists', `[${'['.repeat(500)}${']'.repeat(500)}]`, 400, 'request.too_complex'],
    ['a message with 420,000 fields', FIELDS, 400, 'request.too_complex'],
    ['a list of one with 420,000 fields', `[${FIELDS}]`, 400, 'request.too_complex'],
    ['a list of 5,001', `[${`${JSON.stringify(good)},`.repeat(5000)}1]`, 400, 'request.too_complex'],
  ])('refuses %s and stores nothing', async (_what, body, status, code) => {
    expect(await refused(await app.post('/messages', body), status)).toMatchObject({ code });
  });
});

describe('a caller that sends what takes long to check', () => {
  let stage: Stage;
  let app: DispatcherProcess;
  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false });
  });
  afterAll(() => stage.strike());

  /** What the process has computed, all threads together, in steps of 10 ms (proc(5)). */
  const cpuMs = async () => {
    const stat = await readFile(`/proc/${app.child.pid}/stat`, 'utf8');
    const [user = NaN, system = NaN] = stat.split(' ').slice(13, 15).map(Number);
    return (user + system) * 10;
  };

  it('gets short replies, whatever the body: 100 errors at most, and names cut to 64 characters', async () => {
    const long = 'x'.repeat(1000);
    const wrong = { [`${long}1`]: 1, [`${long}2`]: 2 };
    const list = Array.from({ length: 1000 }, () => wrong);
    const refusal = (await app.post('/messages', list)).json<Refusal & { errors_left_out: number }>();
    const errors = refusal.results?.flatMap((result) => result.errors ?? []) ?? [];
    // Each lacks two fields and has two that are unknown.
    expect([errors.length, refusal.errors_left_out]).toEqual([100, 3900]);
    expect(errors.every(({ field }) => field.length <= 65)).toBe(true);
    expect(refusal.results?.map(({ status }) => status)).toEqual(list.map(() => 'invalid'));

    const one = await app.post('/messages', { ...good, ['y'.repeat(3_000_000)]: 1 });
    expect([one.status, one.text.length < 1000]).toEqual([400, true]);
  });

  it('keeps nobody waiting: bodies of 4 MB cost no more than reading them', async () => {
    const bodies = [
      `${'['.repeat(2_000_000)}${']'.repeat(2_000_000)}`,
      FIELDS,
      `[${FIELDS}]`,
      JSON.stringify({ ...good, content: 'é'.repeat(2_000_000) }),
      JSON.stringify({ ...good, recipient_phone: '-'.repeat(4_000_000) }),
    ];
    for (const body of bodies) {
      const before = await cpuMs();
      for (let times = 0; times < 3; times += 1) expect((await app.post('/messages', body)).status).toBe(400);
      expect((await cpuMs()) - before).toBeLessThan(3 * 250);
    }
  });

  it('may send 64 KiB to every other operation, and not more', async () => {
    expect((await app.post('/messages/1/cancel', because(60_000))).status).toBe(400);
    for (const path of ['/messages/1/cancel', '/messages/replay', '/start', '/stop']) {
      const reply = await app.post(path, because(70_000));
      expect([path, reply.status, reply.json<Refusal>().code]).toEqual([path, 413, 'request.too_large']);
    }
  });
});

describe('a client that sends too much', () => {
  let stage: Stage;
  beforeAll(async () => (stage = await Stage.set()));
  afterAll(() => stage.strike());

  it('is told so while it is still sending, may send to the end, and may go on asking', async () => {
    const app = await stage.replica({ auto_sending: false });
    const socket = connect(Number(new URL(app.origin).port), '127.0.0.1');
    let received = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
    const head =
      'POST /messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\n\r\n';
    socket.write(head);
    await eventually(() => expect(received).toMatch(/^HTTP\/1\.1 413 [^]*request\.too_large/));
    for (let bytes = 0; bytes < 5_000_000; bytes += 100_000) {
      if (!socket.write('x'.repeat(100_000))) await once(socket, 'drain');
    }
    socket.write('GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await eventually(() => expect(received).toContain('{"status":"healthy"}'));
    socket.destroy();
  });
});

describe('GET /messages/:id', () => {
  let stage: Stage;
  let app: DispatcherProcess;

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false });
  });
  afterAll(() => stage.strike());

  it.each(['0', '1', '000', '9007199254740991'])('%s is a 404 when there is none', async (id) => {
    const reply = await app.get(`/messages/${id}`);
    expect(reply.status).toBe(404);
    expect(reply.json()).toEqual({ error: expect.any(String) as unknown, code: 'messages.not_found' });
  });

  it.each([
    ['-9007199254740992', 'at least -9007199254740991'],
    [`-${'9'.repeat(30)}`, 'at least -9007199254740991'],
    ['+1', 'whole number'],
    ['abc', 'whole number'],
    ['1e3', 'whole number'],
    ['1.5', 'whole number'],
    ['0x1', 'whole number'],
    ['%20', 'whole number'],
    ['%00', 'whole number'],
    ['١', 'whole number'],
    ['9007199254740992', 'at most 9007199254740991'],
    ['9223372036854775807', 'at most 9007199254740991'],
    ['9223372036854775808', 'at most 9007199254740991'],
    ['9'.repeat(30), 'at most 9007199254740991'],
    [`1${'0'.repeat(9_000)}`, 'at most 9007199254740991'],
  ])('refuses %s with a 400 that names the field and the limit', async (id, limit) => {
    const reply = await app.get(`/messages/${id}`);
    expect(reply.status).toBe(400);
    expect(reply.json()).toMatchObject({ code: 'request.invalid', fields: [{ field: 'id' }] });
    expect(reply.json<Refusal>().error).toContain(limit);
  });

  it('finds the message with the largest id that a JSON number can hold', async () => {
    await stage.database.query(
      `INSERT INTO messages (id, recipient_phone, content) VALUES (9007199254740991, '+905551111111', 'far')`,
    );
    const [listed] = (await app.get('/messages?after=9007199254740990')).json<{ id: number }[]>();
    expect(listed?.id).toBe(9007199254740991);
    expect((await app.get('/messages/9007199254740991')).json()).toMatchObject({ content: 'far' });
    expect((await app.get('/messages?after=9007199254740991')).text).toBe('[]');
    expect((await app.get('/messages?after=9223372036854775807')).status).toBe(400);
  });

  it('finds and lists messages with ids at and below zero', async () => {
    await stage.database.query(
      `INSERT INTO messages (id, recipient_phone, content) SELECT id, '+905551111111', 'x' FROM generate_series(-2, 0) id`,
    );
    expect((await app.get('/messages/-2')).json()).toMatchObject({ id: -2, state: 'waiting' });
    for (const query of ['?state=waiting&limit=3', '?limit=3', '?after=-3&limit=3']) {
      const ids = (await app.get(`/messages${query}`)).json<{ id: number }[]>().map(({ id }) => id);
      expect([query, ids]).toEqual([query, [-2, -1, 0]]);
    }
    await stage.database.query('UPDATE messages SET sent_status = TRUE WHERE id < 1');
    const path = '/sent?limit=1';
    const first = await app.get(path);
    const second = await app.get(nextPage(path, first.headers.get('link')) ?? '');
    expect([...first.json<object[]>(), ...second.json<object[]>()]).toMatchObject([{ id: 0 }, { id: -1 }]);
    await stage.database.query('DELETE FROM messages WHERE id < 1');
  });

  it('answers with the newest 100 attempts, however many and long they are, and pages through the others', async () => {
    const [id] = await stage.database.insertMessages(1);
    await stage.database.query(
      `INSERT INTO delivery_attempts (message_id, job_id, started_at, number, outcome, response_excerpt)
       SELECT $1, n, now(), n, 'channel', repeat('x', 4096) FROM generate_series(1, 5000) n`,
      [id],
    );
    const reply = await app.get(`/messages/${id}`);
    // 100 of 4,096 bytes and their names.
    expect(reply.text.length).toBeLessThan(450_000);
    const { attempts, attempts_next } = reply.json<{ attempts: { number: number }[]; attempts_next: number }>();
    expect(attempts.map(({ number }) => number)).toEqual(Array.from({ length: 100 }, (_, index) => 4_901 + index));

    const older: number[] = [];
    let path: string | null = `/messages/${id}/attempts?before=${attempts_next}&limit=100`;
    for (let pages = 0; path !== null && pages < 3; pages += 1) {
      const page = await app.get(path);
      older.push(...page.json<{ number: number }[]>().map(({ number }) => number));
      path = nextPage(path, page.headers.get('link'));
    }
    expect(older).toEqual(Array.from({ length: 300 }, (_, index) => 4_900 - index));
    const last = await app.get(`/messages/${id}/attempts?before=3`);
    expect([last.json<object[]>().length, last.headers.get('link')]).toEqual([2, null]);
    expect((await app.get(`/messages/${id}/attempts?limit=101`)).status).toBe(400);
  });
});

describe('POST /messages while PostgreSQL is being lost', () => {
  let stage: Stage;
  let way: TcpProxy;
  let app: DispatcherProcess;
  let listener = hearNothing;
  const stored = async () => await stage.database.value<number>('SELECT count(*) FROM messages');
  /** The reply to the first statement like this, and to all that are sent after it, is lost. */
  const loseRepliesFrom = (statement: RegExp) => {
    listener = (asked) => statement.test(asked) && way.loseReplies();
  };

  beforeAll(async () => {
    stage = await Stage.set();
    way = await TcpProxy.to(stage.database.url, () => (asked) => listener(asked.toString('latin1')));
    app = await stage.replica({ auto_sending: false }, { APP_DB_URL: way.url });
  });
  afterEach(async () => {
    listener = hearNothing;
    way.mend();
    await stage.database.query('TRUNCATE messages RESTART IDENTITY');
  });
  afterAll(async () => {
    await stage.strike();
    await way.stop();
  });

  it('is answered by what stored the message, so that nothing after it can fail', async () => {
    loseRepliesFrom(/FROM messages WHERE id = /);
    const reply = await app.post('/messages', good);
    expect([reply.status, await stored()]).toEqual([201, 1]);
  });

  it.each([
    ['a message', good],
    ['a list', [good]],
  ])('says that %s may have been stored when the reply to that was lost', async (_what, body) => {
    loseRepliesFrom(/INSERT INTO "?messages/);
    const reply = await app.post('/messages', body);
    expect([reply.status, reply.json<Refusal>().code]).toEqual([503, 'database.unavailable']);
    expect(reply.json<Refusal>().error).toContain('may or may not have been made');
    expect(reply.headers.get('retry-after')).toBeNull();
    await eventually(async () => expect(await stored()).toBe(1));
  });

  it('can be repeated with its Idempotency-Key when the reply to the commit was lost', async () => {
    const headers = { 'idempotency-key': 'key-1' };
    loseRepliesFrom(/COMMIT/);
    const lost = await app.request('POST', '/messages', good, headers);
    expect([lost.status, lost.headers.get('retry-after')]).toEqual([503, null]);
    expect(lost.json<Refusal>().error).toContain('Idempotency-Key');
    listener = hearNothing;
    way.mend();
    const again = await app.request('POST', '/messages', good, headers);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    expect(await stored()).toBe(1);
  });

  it('says that nothing was changed, and to try again, when there is no connection', async () => {
    way.cut();
    // Afterwards it knows that the connections it had are gone.
    expect((await app.get('/messages')).status).toBe(503);
    const reply = await app.post('/messages', good);
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '1']);
    expect(reply.json<Refusal>().error).toContain('nothing was changed');
  });
});
