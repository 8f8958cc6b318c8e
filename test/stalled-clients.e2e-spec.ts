import { readdir, readlink } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

jest.setTimeout(60_000);

/** A second, and what a busy machine adds; a client that is waited for costs ten. */
const ENDS_WITHIN_MS = 3_000;

const head = (path: string, type: string, more = '') =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${more}Content-Type: ${type}\r\nContent-Length: 100000\r\n\r\n`;
const FORMS = {
  'says nothing': '',
  'sends half a head': 'GET /sent HTTP/1.1\r\nHost: x',
  'sends half a body': `${head('/messages', 'application/json')}{"a":`,
  'waits for 100 Continue and sends no body': head('/messages', 'application/json', 'Expect: 100-continue\r\n'),
  'sends half a file': `${head('/messages/import', 'text/csv')}recipient_phone,content\n+90`,
  'takes no reply': 'GET /swagger/index.html/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(40),
};

describe('a client that stalls', () => {
  let stage: Stage;
  let app: DispatcherProcess;
  let clients: Socket[];

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica({ auto_sending: false }, { APP_SERVER_READ_TIMEOUT: '2' });
    clients = [];
  });
  afterAll(async () => {
    for (const client of clients) client.destroy();
    await stage.strike();
  });

  /** It keeps its end of the connection open, whatever the service does. */
  const client = (text: string) => {
    const socket = connect({ port: Number(new URL(app.origin).port), host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => undefined);
    clients.push(socket);
    socket.write(text);
    return socket;
  };
  const sockets = async () => {
    const folder = `/proc/${app.child.pid}/fd`;
    const targets = await Promise.all((await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => '')));
    return targets.filter((target) => target.startsWith('socket:')).length;
  };

  it('keeps no connection of the service after it was refused', async () => {
    await app.get('/health');
    const before = await sockets();
    const stalled = Array.from({ length: 20 }, () => client(FORMS['sends half a body']));
    const replies = stalled.map(() => '');
    for (const [index, each] of stalled.entries()) each.on('data', (chunk) => (replies[index] += chunk.toString()));
    await eventually(() => expect(replies.every((reply) => reply.includes('"request.timeout"'))).toBe(true), 10_000);
    await eventually(async () => expect(await sockets()).toBeLessThan(before + 10), 5_000);
  });

  it('does not keep the service from ending', async () => {
    await app.get('/health');
    const connected = Object.entries(FORMS).map(([form, text]) => ({ form, socket: client(text), received: '' }));
    for (const each of connected)
      if (each.form !== 'takes no reply')
        each.socket.on('data', (chunk: Buffer) => (each.received += chunk.toString()));
    // They were all heard: what came after them is answered.
    await app.get('/sent');
    await eventually(() =>
      expect(connected.find(({ form }) => form.includes('100'))?.received).toContain('100 Continue'),
    );
    const since = performance.now();
    expect(await app.end('SIGTERM')).toBe(0);
    expect(performance.now() - since).toBeLessThan(ENDS_WITHIN_MS);
    expect(app.lines.filter((line) => line['log.level'] === 'error')).toEqual([]);
    const received = (form: keyof typeof FORMS) => connected.find((each) => each.form === form)?.received;
    expect(received('sends half a body')).toContain('"request.interrupted"');
    expect(received('sends half a file')).toContain('"import.interrupted"');
  });
});
