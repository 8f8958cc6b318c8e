import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

jest.setTimeout(120_000);

const MIB = 1024 * 1024;
/** The largest body that POST /messages takes. */
const LIST_BYTES = 4 * MIB;
/** The replies below are texts of twice as much together: a process that kept them all would end. */
const HEAP_MB = 112;
const MESSAGE = { recipient_phone: '+905551112233', content: 'x' };

/** A connection that keeps the beginning of what it was told. */
class Client {
  readonly socket: Socket;
  received = '';
  /** All that was to be sent has left. */
  sent = false;

  constructor(origin: string) {
    this.socket = connect(Number(new URL(origin).port), '127.0.0.1');
    this.socket.on('error', () => undefined);
    this.socket.on('data', (piece: Buffer) => (this.received += piece.toString('latin1').slice(0, 4000)));
  }

  send(bytes: string | Buffer): this {
    this.socket.write(bytes, () => (this.sent = true));
    return this;
  }
}

const post = (headers: string) => `POST /messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}`;

describe('the memory that clients can take', () => {
  let stage: Stage;
  let app: DispatcherProcess;
  const clients: Client[] = [];

  const residentMb = () => Number(execFileSync('ps', ['-o', 'rss=', '-p', String(app.child.pid)]).toString()) / 1024;
  const client = () => {
    const made = new Client(app.origin);
    clients.push(made);
    return made;
  };

  const waitingForLock = async () =>
    await stage.database.value<number>(
      `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    );

  beforeAll(async () => {
    stage = await Stage.set();
    // Nothing is late here: what is unfinished stays until the test is done with it.
    app = await stage.replica(
      { auto_sending: false },
      { APP_SERVER_READ_TIMEOUT: '60', NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` },
    );
    await stage.database.query(
      `INSERT INTO messages (recipient_phone, content, sent_status, sent_at)
       SELECT '+905551112233', repeat('x', 160), TRUE, now() FROM generate_series(1, 1000)`,
    );
    await app.get('/sent');
    await app.post('/messages', MESSAGE);
  });
  afterEach(() => {
    for (const { socket } of clients.splice(0)) socket.destroy();
  });
  afterAll(() => stage.strike());

  it('is bounded for bodies that are never finished, and small ones find room beside them', async () => {
    const before = residentMb();
    const body = Buffer.alloc(LIST_BYTES - 11, ' ');
    const unfinished = Array.from({ length: 60 }, () =>
      client()
        .send(post(`Content-Length: ${LIST_BYTES}\r\n\r\n`))
        .send(body),
    );
    await eventually(() => expect(unfinished.filter(({ sent }) => !sent)).toHaveLength(0), 60_000);
    const refused = () =>
      unfinished.filter(({ received }) =>
        /^HTTP\/1\.1 503 [^]*retry-after: 1\r\n[^]*request\.too_many_bodies/i.test(received),
      );
    await eventually(() => expect(refused()).toHaveLength(56));
    expect((await app.post('/messages', MESSAGE)).status).toBe(201);
    expect(residentMb() - before).toBeLessThan(100);
    const list = JSON.stringify([MESSAGE]) + ' '.repeat(LIST_BYTES - 1000);
    expect((await app.post('/messages', list)).json<{ code: string }>().code).toBe('request.too_many_bodies');

    for (const { socket } of clients.splice(0)) socket.destroy();
    await eventually(async () => expect((await app.post('/messages', list)).status).toBe(201));
  });

  it('is let go with the answer, for bodies as for replies whose clients have left', async () => {
    const invalid = JSON.stringify(
      Array.from({ length: 1000 }, (_, n) => ({ ...MESSAGE, [`f${n}`]: 'x'.repeat(150) })),
    );
    for (let round = 0; round < 300; round += 1) expect((await app.post('/messages', invalid)).status).toBe(400);

    for (let round = 0; round < 5; round += 1) {
      const lock = await stage.database.connect();
      await lock.query('BEGIN; LOCK TABLE messages');
      const leaving = Array.from({ length: 10 }, () => client().send('GET /sent HTTP/1.1\r\nHost: x\r\n\r\n'));
      await eventually(async () => expect(await waitingForLock()).toBeGreaterThan(0));
      for (const { socket } of leaving) socket.destroy();
      await lock.query('COMMIT');
      await lock.end();
      await eventually(async () => expect(await waitingForLock()).toBe(0));
    }
    expect((await app.get('/sent')).status).toBe(200);
  });

  it('is the size of a body, however small the pieces in which it comes', async () => {
    const before = residentMb();
    const pieces = '1\r\nx\r\n'.repeat(400_000);
    const dripping = Array.from({ length: 3 }, () =>
      client().send(post('Transfer-Encoding: chunked\r\n\r\n')).send(pieces),
    );
    await eventually(() => expect(dripping.filter(({ sent }) => !sent)).toHaveLength(0), 60_000);
    expect((await app.post('/messages', MESSAGE)).status).toBe(201);
    expect(residentMb() - before).toBeLessThan(100);
  });

  it('is bounded for replies that nobody takes, and what changes something is answered', async () => {
    for (const { socket } of Array.from({ length: 15 }, () =>
      client().send('GET /sent HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(60)),
    )) {
      socket.pause();
    }
    await eventually(async () => expect((await app.get('/sent')).status).toBe(503), 60_000);
    expect((await app.post('/messages', MESSAGE)).status).toBe(201);
    expect((await app.get('/health')).status).toBe(200);

    for (const { socket } of clients.splice(0)) socket.destroy();
    await eventually(async () => expect((await app.get('/sent')).status).toBe(200));
  });
});
