import { readFileSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { makeCertificates } from './support/certificates.js';
import { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accepted, answerOf, RawReceiver, takeAll, type Conduct } from './support/raw-receiver.js';
import { TestDatabase } from './support/test-database.js';

interface Attempt {
  readonly outcome: string;
  readonly http_status: number | null;
  readonly error: string | null;
  readonly provider_id: string | null;
}
interface Message {
  readonly id: number;
  readonly state: string;
  readonly content: string;
  readonly charged_attempts: number;
  readonly attempts: readonly Attempt[];
}

/** Writes byte by byte, with a pause after each, until all is written or the connection is gone. */
function drip(socket: Socket, text: string, pauseMs = 0): void {
  const [first, rest] = [text.slice(0, 1), text.slice(1)];
  if (first === '' || socket.destroyed) return;
  socket.setNoDelay().write(first, () => setTimeout(() => drip(socket, rest, pauseMs), pauseMs));
}

/** Writes for as long as the other side reads. */
function pour(socket: Socket, chunk: string): void {
  if (!socket.destroyed) socket.write(chunk, () => setImmediate(() => pour(socket, chunk)));
}

const say =
  (text: string | Buffer): Conduct =>
  ({ socket }) =>
    void socket.write(text);
const sayAndClose =
  (text: string | Buffer): Conduct =>
  ({ socket }) =>
    void socket.end(text);
const sayAndReset =
  (text: string): Conduct =>
  ({ socket }) =>
    void socket.write(text, () => setImmediate(() => socket.resetAndDestroy()));

const UNREADABLE = /^the answer cannot be read: .*; it begins with "/;
const HEAD_202 = 'HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\n';
const FLOOD = Array.from({ length: 800 }, (_, n) => `x-${n}: ${'v'.repeat(90)}\r\n`).join('');
const ID = '{"messageId":"p-1"}';
const sent = (provider_id: string | null = 'p-1', http_status = 202) => ({
  outcome: 'accepted',
  http_status,
  provider_id,
  error: null,
});
const uncertain = (error: RegExp) => ({
  outcome: 'uncertain',
  http_status: null,
  error: expect.stringMatching(error) as string,
});
const channel = (http_status: number | null, error: RegExp) => ({
  outcome: 'channel',
  http_status,
  error: expect.stringMatching(error) as string,
});
const unavailable = (http_status: number) => ({ outcome: 'unavailable', http_status, error: `HTTP ${http_status}` });

describe('a receiver that', () => {
  let database: TestDatabase;
  let receiver: RawReceiver;
  let app: DispatcherProcess;
  const live = (changes: Readonly<Record<string, unknown>> = {}) => ({
    auto_sending: false,
    rate_limit: 20,
    scheduler_interval: 1,
    webhook_timeout: 5,
    retry_schedule: [1],
    on_uncertain: 'hold',
    webhook_url: receiver.url,
    ...changes,
  });
  const find = async (id: number) => (await app.get(`/messages/${id}`)).json<Message>();
  const firstAttempt = async (id: number) =>
    await eventually(async () => {
      const [attempt] = (await find(id)).attempts;
      if (attempt === undefined) throw new Error('no attempt was made');
      return attempt;
    }, 10_000);
  /** It waits, and was charged no attempt. */
  const waits = async (id: number) =>
    await eventually(async () => expect(await find(id)).toMatchObject({ state: 'waiting', charged_attempts: 0 }));
  const allSent = async (ids: readonly number[], withinMs = 10_000) =>
    await eventually(async () => {
      const messages = await Promise.all(ids.map(find));
      expect(messages.map(({ state }) => state)).toEqual(ids.map(() => 'sent'));
      return messages;
    }, withinMs);

  /** The service is as it was before: it runs, nothing slipped through its hands, and no message is left in them. */
  const unharmed = async () => {
    expect(app.child.exitCode).toBeNull();
    expect(app.printed.join('\n')).not.toMatch(/nobody (?:caught|listened)|a job failed/);
    await eventually(async () =>
      expect(await database.value('SELECT count(*) FROM messages WHERE claimed_by IS NOT NULL')).toBe(0),
    );
  };
  const providerIds = async (ids: readonly number[], withinMs?: number) =>
    (await allSent(ids, withinMs)).map(({ attempts }) => attempts[0]?.provider_id);

  /** The first message's outcome is what is expected; the next messages are sent. */
  const understood = async (conduct: Conduct, expected: object) => {
    receiver.conduct = (request) => (request.content === 'text 1' ? conduct : takeAll)(request);
    const [first = 0, ...others] = await database.insertMessages(4);
    await app.post('/start');
    expect(await firstAttempt(first)).toMatchObject(expected);
    // Where the way itself was in trouble the job ended, and the first message would stay at the head for ever.
    receiver.conduct = takeAll;
    for (const message of await allSent(others)) {
      expect(message.attempts.filter(({ outcome }) => outcome !== 'channel')).toEqual([
        expect.objectContaining({ outcome: 'accepted', provider_id: message.content }),
      ]);
    }
    expect(receiver.ledger.filter(({ head }) => !head.startsWith('POST /webhook HTTP/1.1'))).toEqual([]);
    await unharmed();
  };

  beforeAll(async () => {
    database = await TestDatabase.create();
    receiver = await RawReceiver.start();
    app = await DispatcherProcess.start({ env: { APP_DB_URL: database.url }, live: live() });
  });

  beforeEach(() => {
    // Each test's receiver is another origin, so no connection of an earlier one is used.
    receiver.conduct = takeAll;
  });

  afterEach(async () => {
    await app.post('/stop');
    await database.query('DELETE FROM messages');
    receiver.conduct = takeAll;
    receiver.greet = () => undefined;
    receiver.ledger.length = 0;
  });

  afterAll(async () => {
    await app.dispose();
    await receiver.stop();
    await database.drop();
  });

  describe('within a webhook_timeout of 2 s', () => {
    beforeAll(() => app.changeLive(live({ webhook_timeout: 2 })));
    afterAll(() => app.changeLive(live()));

    it.each<[string, Conduct, object]>([
      [
        'is a byte at a time still at its headers when the timeout comes',
        ({ socket }) => drip(socket, `HTTP/1.1 202 Accepted\r\nx-slow: ${'v'.repeat(400)}\r\n\r\n`, 10),
        uncertain(/timeout of 2000 ms/),
      ],
      [
        'says 202 and the body only after the timeout',
        ({ socket }) => {
          socket.write(`${HEAD_202}content-length: 500\r\n\r\n`);
          drip(socket, ' '.repeat(500), 10);
        },
        sent(null),
      ],
      [
        'says 503 and the body only after the timeout',
        say('HTTP/1.1 503 No\r\ncontent-length: 9\r\n\r\nlat'),
        unavailable(503),
      ],
      ['promises more body than it sends', say(`${HEAD_202}content-length: 400\r\n\r\n${ID}`), sent()],
      [
        'names two times to come back over a body without end',
        ({ socket }) => {
          socket.write('HTTP/1.1 503 No\r\nretry-after: 1\r\nretry-after: 2\r\n\r\nx');
        },
        unavailable(503),
      ],
    ])('%s is understood as it should be, and the next messages are sent', async (_name, conduct, expected) => {
      await understood(conduct, expected);
    });
  });

  it.each<[string, Conduct, object]>([
    ['answers byte by byte', ({ socket }) => drip(socket, answerOf(202, ID)), sent()],
    ['resets before an answer', ({ socket }) => void socket.resetAndDestroy(), uncertain(/ECONNRESET/)],
    ['resets in mid-header', sayAndReset('HTTP/1.1 202 Acc'), uncertain(/./)],
    ['closes before an answer', ({ socket }) => void socket.end(), uncertain(/other side closed/)],
    ['resets in mid-body', sayAndReset(`${HEAD_202}content-length: 400\r\n\r\n${ID}`), sent()],
    ['closes in mid-body', sayAndClose(`${HEAD_202}content-length: 400\r\n\r\n${ID}`), sent()],
    [
      'closes in the middle of a chunk',
      sayAndClose(`${HEAD_202}transfer-encoding: chunked\r\n\r\n400\r\n${ID}`),
      sent(),
    ],
    [
      'says 202 and a body without end',
      ({ socket }) => {
        socket.write(`${HEAD_202}\r\n`);
        pour(socket, 'x'.repeat(8_000));
      },
      sent(null),
    ],
    [
      'says 500 and chunks without end',
      ({ socket }) => {
        socket.write('HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n');
        pour(socket, `400\r\n${'x'.repeat(0x400)}\r\n`);
      },
      unavailable(500),
    ],
    ['sends more body than it promised', say(`${HEAD_202}content-length: 5\r\n\r\n${ID}`), sent(null)],
    [
      'names two lengths that differ',
      say(`${HEAD_202}content-length: 5\r\ncontent-length: 19\r\n\r\n${ID}`),
      uncertain(UNREADABLE),
    ],
    [
      'names a length and chunks',
      say(`${HEAD_202}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`),
      sent(null),
    ],
    [
      'redirects with 307',
      ({ socket }) => void socket.write(answerOf(307, '', `location: ${receiver.url}/elsewhere\r\n`)),
      channel(307, /HTTP 307/),
    ],
    ['answers in HTTP/1.0 and closes', sayAndClose(`HTTP/1.0 202 Accepted\r\ncontent-length: 19\r\n\r\n${ID}`), sent()],
    ['answers in HTTP/1.0 without a length', sayAndClose(`HTTP/1.0 200 OK\r\n\r\n${ID}`), sent('p-1', 200)],
    ['answers with early hints first', say(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${accepted('p-1')}`), sent()],
    ['says "processing" first', say(`HTTP/1.1 102 Processing\r\n\r\n${accepted('p-1')}`), sent()],
    [
      'switches protocols',
      say('HTTP/1.1 101 Switching Protocols\r\nupgrade: chat\r\nconnection: upgrade\r\n\r\nhello'),
      uncertain(/another protocol/),
    ],
    ['speaks something else than HTTP', say('220 mail.example ESMTP\r\n'), uncertain(UNREADABLE)],
    ['sends random bytes', say(Buffer.from('00ff1603010200010001fc0303', 'hex')), uncertain(UNREADABLE)],
    ['answers with status 000', say('HTTP/1.1 000 Nothing\r\ncontent-length: 0\r\n\r\n'), uncertain(UNREADABLE)],
    ['answers with status 999', say(answerOf(999, '')), unavailable(999)],
    ['floods with headers', say(`${HEAD_202}${FLOOD}\r\n`), uncertain(/longer than 65536 bytes/)],
    [
      'answers with a body of gzip',
      ({ socket }) => {
        const body = gzipSync(ID);
        socket.write(`${HEAD_202}content-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`);
        socket.write(body);
      },
      sent(null),
    ],
    ['names two times to come back', say(answerOf(503, '', 'retry-after: 1\r\nretry-after: 2\r\n')), unavailable(503)],
    ['says "continue" though nobody asked', say(`HTTP/1.1 100 Continue\r\n\r\n${accepted('p-1')}`), sent()],
  ])('%s is understood as it should be, and the next messages are sent', async (_name, conduct, expected) => {
    await understood(conduct, expected);
  });

  describe('repeats what was uncertain', () => {
    beforeAll(() => app.changeLive(live({ on_uncertain: 'resend', max_attempts: 3, rate_limit: 100 })));
    afterAll(() => app.changeLive(live()));

    const unreadable: Conduct[] = [
      say('220 mail.example ESMTP\r\n'),
      say(ID),
      say(Buffer.from('00ff1603010200010001fc0303', 'hex')),
      say(Buffer.from('00000c04000000000000030000006400', 'hex')),
      say(`${HEAD_202}content-length: 5\r\ncontent-length: 19\r\n\r\n${ID}`),
      say(`${HEAD_202}content-length: -1\r\n\r\n${ID}`),
      say(`${HEAD_202}${FLOOD}\r\n`),
      say('HTTP/1.1 101 Switching Protocols\r\nupgrade: chat\r\nconnection: upgrade\r\n\r\n'),
      say('HTTP/1.1 000 Nothing\r\ncontent-length: 0\r\n\r\n'),
      say('HTTP/1.1 99 Nothing\r\ncontent-length: 0\r\n\r\n'),
      say('HTTP/1.1 1000 Nothing\r\ncontent-length: 0\r\n\r\n'),
      say('HTTP/2 202\r\n\r\n'),
      say('HTTP/1.1 102 Processing\r\n\r\n'.repeat(200)),
    ];
    const readable: Conduct[] = [
      say(`HTTP/1.1 100 Continue\r\n\r\n${accepted('p-1')}`),
      say(`${HEAD_202}content-length: 19\r\ncontent-length: 19\r\n\r\n${ID}`),
      say(`${HEAD_202}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`),
      say(`HTTP/1.1 202 Accepted\ncontent-length: 19\n\n${ID}`),
      say(`${HEAD_202}no field\r\ncontent-length: 19\r\n\r\n${ID}`),
      say(`${HEAD_202}x: a\0b\r\ncontent-length: 19\r\n\r\n${ID}`),
      say(`${HEAD_202}transfer-encoding: chunked\r\n\r\nzz\r\n${ID}`),
      say(`HTTP/1.1 204 No Content\r\n\r\n${ID}`),
    ];

    it('gets each message with an unreadable answer once, and the others go on', async () => {
      // Every other one is good, so that the way is not in trouble.
      const conducts = [...unreadable, ...readable].flatMap((conduct) => [takeAll, conduct]);
      receiver.conduct = (request) => conducts[Number(request.content.slice('text '.length)) - 1]?.(request);
      const ids = await database.insertMessages(conducts.length);
      await app.post('/start');
      await eventually(async () => {
        const messages = await Promise.all(ids.map(find));
        const expected = conducts.map((conduct) => (unreadable.includes(conduct) ? 'uncertain' : 'sent'));
        expect(messages.map(({ state }) => state)).toEqual(expected);
      }, 15_000);
      const jobs = 'SELECT count(*) FROM dispatch_jobs';
      const before = await database.value<number>(jobs);
      await eventually(async () => expect(await database.value<number>(jobs)).toBeGreaterThan(before + 3), 10_000);
      expect(receiver.ledger).toHaveLength(conducts.length);
      await unharmed();
    });

    it('is in trouble when every answer is unreadable, and gets what waits when it is mended', async () => {
      receiver.conduct = say('220 mail.example ESMTP\r\n');
      const ids = await database.insertMessages(30);
      await app.post('/start');
      await eventually(() => {
        const told = app.lines.filter(({ message }) => message.includes('220 mail.example ESMTP'));
        expect(told.some(({ message }) => message.includes('the receiver keeps failing'))).toBe(true);
      }, 10_000);
      receiver.conduct = takeAll;
      await eventually(async () => {
        const states = (await Promise.all(ids.map(find))).map(({ state }) => state);
        expect(states.filter((state) => state === 'sent').length).toBeGreaterThan(15);
        expect(states).not.toContain('waiting');
      }, 15_000);
      expect(receiver.ledger).toHaveLength(ids.length);
    });
  });

  describe('on another origin', () => {
    let other: RawReceiver;

    /** A receiver with which no connection is open, and about which nothing is known. */
    const meet = async (tls: Parameters<typeof RawReceiver.start>[0] = null) => {
      other = await RawReceiver.start(tls);
      await app.changeLive(live({ webhook_url: other.url }));
    };
    afterEach(async () => {
      await other.stop();
      await app.changeLive(live());
    });
    const distrust = () =>
      app.lines.filter(({ message }) => message.includes(`${new URL(other.url).origin} answers out of turn`));

    it('answers before it has read the request is believed', async () => {
      await meet();
      other.conduct = () => undefined;
      other.greet = (socket) => void socket.write(accepted('early'));
      const [id = 0] = await database.insertMessages(1);
      await app.post('/start');
      expect(await firstAttempt(id)).toMatchObject(sent('early'));
    });

    it('has a certificate that nobody vouches for gets nothing, and nothing is charged for it', async () => {
      const { cert, key, folder } = makeCertificates();
      await meet({ cert: readFileSync(cert), key: readFileSync(key) });
      rmSync(folder, { recursive: true });
      const [id = 0] = await database.insertMessages(1);
      await app.post('/start');
      expect(await firstAttempt(id)).toMatchObject(channel(null, /certificate/i));
      await waits(id);
      expect(other.ledger).toEqual([]);
    });

    it('has a name that nobody knows gets nothing, and nothing is charged for it', async () => {
      await meet();
      await app.changeLive(live({ webhook_url: 'http://no-such-host.invalid/' }));
      const [id = 0] = await database.insertMessages(1);
      await app.post('/start');
      expect(await firstAttempt(id)).toMatchObject(channel(null, /ENOTFOUND|EAI_AGAIN/));
      await waits(id);
      await app.changeLive(live({ webhook_url: other.url }));
      await allSent([id]);
    });

    it('answers every request twice in one breath harms no message', async () => {
      await meet();
      other.conduct = ({ socket, content }) => void socket.write(accepted(content).repeat(2));
      const ids = await database.insertMessages(20);
      await app.post('/start');
      expect(await providerIds(ids)).toEqual(ids.map((_, index) => `text ${index + 1}`));
    });

    it('answers a second time once its connection is idle ends the sharing of connections, and harms no message', async () => {
      await meet();
      other.conduct = ({ socket, content }) => {
        socket.write(accepted(content), () => setTimeout(() => socket.write(accepted('stray')), 100));
      };
      await app.changeLive(live({ webhook_url: other.url, rate_limit: 1, scheduler_interval: 3 }));
      const ids = await database.insertMessages(3);
      await app.post('/start');
      expect(await providerIds(ids, 20_000)).toEqual(['text 1', 'text 2', 'text 3']);
      expect(distrust()).toHaveLength(1);
      expect(other.ledger.map(({ number }) => number)).toEqual([1, 1, 1]);
      expect(other.ledger.at(-1)?.head).toMatch(/^connection: close$/im);
    });

    it('answers a second time during the next request is found out by that, and harms no further message', async () => {
      await meet();
      // To the one that asks, the first of these is like any answer to the second request; its own then comes too late.
      other.conduct = ({ socket, content, number }) => {
        if (number === 2) socket.write(accepted('stray'), () => setTimeout(() => socket.write(accepted(content)), 20));
        else socket.write(accepted(content));
      };
      await app.changeLive(live({ webhook_url: other.url, rate_limit: 1 }));
      const early = await database.insertMessages(2);
      await app.post('/start');
      expect(await providerIds(early)).toEqual(['text 1', 'stray']);
      await eventually(() => expect(distrust()).toHaveLength(1));
      await app.changeLive(live({ webhook_url: other.url }));
      const late = await database.insertMessages(20);
      expect(await providerIds(late)).toEqual(late.map((_, index) => `text ${index + 1}`));
      expect(other.ledger.map(({ number }) => number).slice(2)).toEqual(late.map(() => 1));
      expect(distrust()).toHaveLength(1);
      await unharmed();
    });
  });
});
