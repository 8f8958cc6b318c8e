import { connect, type Socket } from 'node:net';
import { setInterval as every } from 'node:timers/promises';
import { makeCertificates } from './support/certificates.js';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

jest.setTimeout(60_000);

const TIMEOUTS = { APP_SERVER_READ_TIMEOUT: '1', APP_SERVER_WRITE_TIMEOUT: '2', APP_SERVER_IDLE_TIMEOUT: '1' };
// More than the buffers of the system hold between the two ends.
const REPLIES = 40;
const BUNDLE = '/swagger/index.html/swagger-ui-bundle.js';

/** A connection that keeps what it was told, and knows when it was ended. */
class Client {
  readonly socket: Socket;
  received = '';
  bytes = 0;
  closed = false;

  constructor(origin: string) {
    this.socket = connect(Number(new URL(origin).port), '127.0.0.1');
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => (this.closed = true));
  }

  listen(): this {
    this.socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      if (this.received.length < 10_000) this.received += chunk.toString('latin1');
    });
    return this;
  }

  /** Sends a byte every 100 ms for as long as the connection is open. */
  async drip(text: string): Promise<void> {
    for await (const _ of every(100)) {
      if (this.closed || !this.socket.writable) return;
      this.socket.write(text);
    }
  }

  async ended(): Promise<void> {
    await eventually(() => {
      if (!this.closed) throw new Error('the connection is open');
    }, 15_000);
  }
}

describe('a client that takes its time', () => {
  let stage: Stage;
  let app: DispatcherProcess;

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false }, TIMEOUTS);
  });
  afterAll(() => stage.strike());

  const wholeBytes = async () => REPLIES * (await app.get(BUNDLE)).text.length;
  const count = () => app.lines.filter(({ message }) => message.includes('it is broken off')).length;
  /** Resolves when the service has broken off a reply from now on. */
  const brokenOff = async () => {
    const before = count();
    await eventually(() => expect(count()).toBeGreaterThan(before), 20_000);
  };

  it('and says nothing is sent away', async () => {
    const client = new Client(app.origin).listen();
    await client.ended();
    expect(client.received).toContain('408');
  });

  it('with its head is sent away, although it never stops sending', async () => {
    const client = new Client(app.origin).listen();
    client.socket.write('GET /sent HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    await client.drip('x');
    await client.ended();
    expect(client.received).toContain('"code":"request.timeout"');
  });

  it('with its body is sent away, although it never stops sending', async () => {
    const client = new Client(app.origin).listen();
    client.socket.write(
      'POST /stop HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
    );
    await client.drip(' ');
    await client.ended();
    expect(client.received).toContain('"code":"request.timeout"');
  });

  it('with its next request is sent away, and may have had all the time it was promised', async () => {
    const client = new Client(app.origin).listen();
    const askedAt = performance.now();
    client.socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    await eventually(() => expect(client.received).toContain('healthy'));
    await client.ended();
    expect(performance.now() - askedAt).toBeGreaterThan(990);
  });

  it('and takes nothing of its replies is sent away', async () => {
    const client = new Client(app.origin);
    client.socket.write(`GET ${BUNDLE} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(REPLIES));
    await brokenOff();
    client.listen();
    await client.ended();
    expect(client.bytes).toBeLessThan(await wholeBytes());
  });

  it('and takes its replies in drips is sent away, although it never stops taking', async () => {
    const client = new Client(app.origin).listen();
    client.socket.write(`GET ${BUNDLE} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(REPLIES));
    const off = brokenOff();
    const drips = setInterval(() => {
      client.socket.once('data', () => client.socket.pause());
      client.socket.resume();
    }, 100);
    await off;
    clearInterval(drips);
    client.socket.resume();
    await client.ended();
    expect(client.bytes).toBeLessThan(await wholeBytes());
  });

  it('keeps nobody else waiting', async () => {
    const clients = Array.from({ length: 200 }, () => new Client(app.origin));
    for (const { socket } of clients) socket.write('GET /sent HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    expect((await app.get('/sent')).status).toBe(200);
    await Promise.all(clients.map((client) => client.listen().ended()));
  });

  it('with its TLS handshake is sent away', async () => {
    const { cert, key } = makeCertificates();
    const secure = await stage.replica(
      { auto_sending: false },
      { ...TIMEOUTS, USE_HTTPS: 'true', TLS_CERT: cert, TLS_KEY: key },
    );
    const client = new Client(secure.origin).listen();
    await client.ended();
  });
});
