import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';
import { TcpProxy } from './support/tcp-proxy.js';
import { Upload } from './support/upload.js';

jest.setTimeout(60_000);

const NDJSON = 'application/x-ndjson';
const CSV = 'text/csv';
const HEADER = 'recipient_phone,content\n';
const PHONE = '+905551111111';
const json = (content: string, more: object = {}) =>
  `${JSON.stringify({ recipient_phone: PHONE, content, ...more })}\n`;
const row = (content: string) => `${PHONE},${content}\n`;

interface Report {
  rows: number;
  stored: number;
  refused: number;
  faults: { line: number; field: string; reason: string }[];
  faults_left_out: number;
}

describe('POST /messages/import', () => {
  let stage: Stage;
  let app: DispatcherProcess;
  /** Gives up what does not arrive within 2 s. */
  let impatient: DispatcherProcess;

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false });
    impatient = await stage.replica({ auto_sending: false }, { APP_SERVER_READ_TIMEOUT: '2' });
  });
  afterEach(() => stage.database.query('TRUNCATE messages RESTART IDENTITY'));
  afterAll(() => stage.strike());

  const storedCount = async () => await stage.database.value<number>('SELECT count(*) FROM messages');
  const contents = async () =>
    (await stage.database.query<{ content: string }>('SELECT content FROM messages ORDER BY id')).map(
      ({ content }) => content,
    );
  const send = async (body: string, type: string, query = '', headers: Record<string, string> = {}) =>
    await app.request('POST', `/messages/import${query}`, body, { 'content-type': type, ...headers });
  const begin = (type = NDJSON, query = '', to = app) => Upload.begin(`${to.origin}/messages/import${query}`, type);
  /** Resolves when that many imports hold a connection to the database. */
  const underWay = async (count: number) =>
    await eventually(async () => {
      const open = await stage.database.value<number>(
        `SELECT count(*) FROM pg_stat_activity
         WHERE application_name = 'message-dispatcher import' AND datname = current_database()`,
      );
      expect(open).toBe(count);
    });

  it.each([
    [NDJSON, `${json('first, "one"')}${json('second\n\\line\t')}${json('üçüncü 😀')}`],
    [CSV, `${HEADER}${row('"first, ""one"""')}${row('"second\n\\line\t"')}${row('üçüncü 😀')}`],
    [
      `${CSV}; charset=UTF-8`,
      `\uFEFF${HEADER}${row('"first, ""one"""')}${row('"second\n\\line\t"')}${row('üçüncü 😀')}`,
    ],
  ])('stores %s in the order of its rows, letter by letter', async (type, body) => {
    const reply = await send(body, type);
    expect(reply.status).toBe(200);
    expect(reply.json()).toEqual({
      mode: 'all-or-nothing',
      rows: 3,
      stored: 3,
      refused: 0,
      faults: [],
      faults_left_out: 0,
    });
    expect(await contents()).toEqual(['first, "one"', 'second\n\\line\t', 'üçüncü 😀']);
    expect((await app.get('/messages/1')).json()).toMatchObject({ state: 'waiting', recipient_phone: PHONE });
  });

  it('stores nothing when one row is bad, and tells which', async () => {
    const reply = await send(
      `${json('good')}{"recipient_phone":\n${json('x'.repeat(161))}${json('a', { hue: 1 })}`,
      NDJSON,
    );
    expect(reply.status).toBe(400);
    expect(reply.json()).toEqual({
      error: '3 of 4 rows are invalid, so none was stored',
      code: 'import.invalid',
      rows: 4,
      refused: 3,
      faults: [
        { line: 2, field: '', reason: 'is not valid JSON' },
        { line: 3, field: 'content', reason: 'must be at most 160 characters, got 161' },
        { line: 4, field: 'hue', reason: 'is not a field of a message' },
      ],
      faults_left_out: 0,
    });
    expect(await storedCount()).toBe(0);
  });

  it('stores the good rows of a bad file when asked to', async () => {
    const body = `${HEADER}${row('good')}${row('"never closed')}${row('')}${row('"good, too"')}`;
    const reply = await send(body, CSV, '?mode=per-row');
    expect(reply.status).toBe(200);
    const { rows, stored, refused, faults } = reply.json<Report>();
    expect([rows, stored, refused]).toEqual([4, 2, 2]);
    expect(faults.map(({ line, field }) => [line, field])).toEqual([
      [3, ''],
      [4, 'content'],
    ]);
    expect(await contents()).toEqual(['good', 'good, too']);
  });

  it('lists 1,000 faults and counts the rest', async () => {
    const body = HEADER + row('').repeat(1_500) + row('good');
    const { rows, stored, refused, faults, faults_left_out } = (await send(body, CSV, '?mode=per-row')).json<Report>();
    expect([rows, stored, refused, faults.length, faults_left_out]).toEqual([1_501, 1, 1_500, 1_000, 500]);
    expect(faults.at(-1)).toMatchObject({ line: 1_001 });
  });

  it('takes more than the body limit of other requests', async () => {
    const upload = begin(CSV);
    await upload.send(HEADER);
    for (let part = 0; part < 30; part += 1) {
      await upload.send(Array.from({ length: 4_000 }, (_, index) => row(`message ${part * 4_000 + index}`)).join(''));
    }
    expect((await upload.end()).body).toMatchObject({ rows: 120_000, stored: 120_000 });
    expect(await stage.database.value(`SELECT count(*) FROM messages WHERE content = 'message ' || (id - 1)`)).toBe(
      120_000,
    );
  });

  it.each([
    ['no type', '', {}, 415, 'request.media_type'],
    ['JSON', 'application/json', {}, 415, 'request.media_type'],
    ['another charset', 'text/csv; charset=iso-8859-9', {}, 415, 'request.media_type'],
    ['a compressed body', CSV, { 'content-encoding': 'gzip' }, 415, 'request.media_type'],
  ])('refuses %s', async (_what, type, headers, status, code) => {
    const reply = await send(HEADER + row('a'), type, '', headers);
    expect([reply.status, reply.json<{ code: string }>().code]).toEqual([status, code]);
    expect(await storedCount()).toBe(0);
  });

  it.each([
    ['an empty file', '', NDJSON, '', 'import.empty'],
    ['a file of empty lines', '\n\n', NDJSON, '', 'import.empty'],
    ['a header and nothing else', HEADER, CSV, '', 'import.empty'],
    ['a CSV file without a header', row('a'), CSV, '', 'import.header'],
    ['an unknown mode', json('a'), NDJSON, '?mode=some', 'request.invalid'],
    ['an unknown parameter', json('a'), NDJSON, '?modes=per-row', 'request.invalid'],
  ])('refuses %s', async (_what, body, type, query, code) => {
    const reply = await send(body, type, query);
    expect([reply.status, reply.json<{ code: string }>().code]).toEqual([400, code]);
    expect(await storedCount()).toBe(0);
  });

  it('tells a client that is still sending what is wrong with its header', async () => {
    const upload = begin(CSV);
    await upload.send(row('a'));
    expect((await upload.reply).body).toMatchObject({ code: 'import.header' });
    upload.breakOff();
  });

  it('is the only route that takes these types', async () => {
    const reply = await app.request('POST', '/messages', row('a'), { 'content-type': CSV });
    expect([reply.status, reply.json<{ code: string }>().code]).toEqual([415, 'request.media_type']);
  });

  it.each(['all-or-nothing', 'per-row'])('stores nothing of a file whose client went away (%s)', async (mode) => {
    const upload = begin(NDJSON, `?mode=${mode}`);
    await upload.send(json('x'.repeat(100)).repeat(20_000));
    await underWay(1);
    expect(await storedCount()).toBe(0);
    upload.breakOff();
    await underWay(0);
    expect(await storedCount()).toBe(0);
  });

  it('takes a file that comes slowly but steadily, for longer than other requests may take', async () => {
    const upload = begin(NDJSON, '', impatient);
    for (let line = 0; line < 10; line += 1) {
      await upload.send(json(`line ${line}`));
      // The pace of the client is what is tested here.
      await sleep(350);
    }
    expect((await upload.end()).body).toMatchObject({ stored: 10 });
  });

  it('gives up a file that stalls, with 408 and nothing stored', async () => {
    const upload = begin(NDJSON, '', impatient);
    await upload.send(json('a'));
    const { status, headers, body } = await upload.reply;
    expect([status, headers.connection, body.code]).toEqual([408, 'close', 'request.timeout']);
    await underWay(0);
    expect(await storedCount()).toBe(0);
  });

  it('leaves other requests their time limit, however steadily they come', async () => {
    const upload = Upload.begin(`${impatient.origin}/messages`, 'application/json');
    let drops = 0;
    const answered = new AbortController();
    const dripping = (async () => {
      for (; drops < 100 && !answered.signal.aborted; drops += 1) {
        await upload.send(' ');
        await sleep(100);
      }
    })();
    expect((await upload.reply).body).toMatchObject({ code: 'request.timeout' });
    answered.abort();
    upload.breakOff();
    await dripping;
    expect(drops).toBeLessThan(100);
  });

  it('runs two at once, and asks a third to come back', async () => {
    const uploads = [begin(), begin()];
    for (const upload of uploads) await upload.send(json('a'));
    await underWay(2);
    const third = await send(json('b'), NDJSON);
    expect([third.status, third.json<{ code: string }>().code]).toEqual([503, 'import.busy']);
    expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0);
    for (const upload of uploads) expect((await upload.end()).status).toBe(200);
    expect((await send(json('b'), NDJSON)).status).toBe(200);
    expect(await storedCount()).toBe(3);
  });

  it('says so when PostgreSQL drops it in the middle, and stores nothing', async () => {
    const upload = begin();
    await upload.send(json('a'));
    await underWay(1);
    await stage.database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = 'message-dispatcher import' AND datname = current_database()`,
    );
    const { status, body } = await upload.end(json('b'));
    expect([status, body.code]).toEqual([503, 'database.unavailable']);
    expect(body['error']).toContain('nothing was changed');
    expect(await storedCount()).toBe(0);
  });

  it('is documented with both types and every reply', async () => {
    const document = (await app.get('/swagger/v1/swagger.json')).json<{
      paths: Record<string, { post: { requestBody: { content: object }; responses: object; parameters: object[] } }>;
    }>();
    const post = document.paths['/messages/import']?.post;
    expect(Object.keys(post?.requestBody.content ?? {})).toEqual([NDJSON, CSV]);
    const replies = ['200', '400', '401', '403', '408', '413', '415', '422', '429', '431', '500', '503'];
    expect(Object.keys(post?.responses ?? {})).toEqual(replies);
    expect(post?.parameters).toEqual([expect.objectContaining({ name: 'mode', in: 'query', required: false })]);
  });
});

it('ends an import when the service ends, with nothing stored', async () => {
  const stage = await Stage.set();
  try {
    const app = await stage.replica({ auto_sending: false });
    const upload = Upload.begin(`${app.origin}/messages/import`, NDJSON);
    await upload.send(json('a'));
    await eventually(async () =>
      expect(
        await stage.database.value(
          `SELECT count(*) FROM pg_stat_activity
           WHERE application_name = 'message-dispatcher import' AND datname = current_database()`,
        ),
      ).toBe(1),
    );
    const ended = app.end('SIGTERM');
    expect(await upload.reply).toMatchObject({ status: 503, body: { code: 'import.interrupted' } });
    expect(await ended).toBe(0);
    expect(await stage.database.value('SELECT count(*) FROM messages')).toBe(0);
  } finally {
    await stage.strike();
  }
});

describe('a commit of an import that has begun', () => {
  let stage: Stage;
  let way: TcpProxy;
  let gate: Client;

  beforeEach(async () => {
    stage = await Stage.set();
    way = await TcpProxy.to(stage.database.url);
    gate = await stage.database.connect();
  });
  afterEach(async () => {
    await gate.end();
    await stage.strike();
    await way.stop();
  });

  /** Sends a file of one message and resolves when its commit is under way, which lasts until `gate` ends its transaction. */
  async function beginCommit() {
    const app = await stage.replica({ auto_sending: false }, { APP_DB_URL: way.url });
    await stage.database.query(`
      CREATE FUNCTION pass_gate() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END';
      CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION pass_gate()`);
    await gate.query('BEGIN; SELECT pg_advisory_xact_lock(1)');
    const upload = Upload.begin(`${app.origin}/messages/import`, NDJSON);
    const reply = upload.end(json('a'));
    reply.catch(() => undefined);
    await eventually(async () => expect(await stage.database.blocked()).toEqual(['COMMIT']));
    return { app, reply };
  }
  const openGate = () => gate.query('COMMIT');
  const storedCount = async () => await stage.database.value<number>('SELECT count(*) FROM messages');

  it('is carried through and answered when the service ends', async () => {
    const { app, reply } = await beginCommit();
    const ended = app.end('SIGTERM');
    // Imports are told of the end before the port is closed.
    await eventually(() => expect(app.get('/health')).rejects.toThrow());
    await openGate();
    expect(await reply).toMatchObject({ status: 200, body: { stored: 1 } });
    expect(await ended).toBe(0);
    expect(await storedCount()).toBe(1);
  });

  it('and whose answer is lost is told of as one that may have stored everything', async () => {
    const { reply } = await beginCommit();
    way.loseReplies();
    await openGate();
    const { status, headers, body } = await reply;
    expect([status, body.code, headers['retry-after']]).toEqual([503, 'import.unconfirmed', undefined]);
    await eventually(async () => expect(await storedCount()).toBe(1));
  });
});
