import { DispatcherProcess, type LogLine } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accept, answer } from './support/receiver.js';
import { RedisServer } from './support/redis-server.js';
import { Stage } from './support/stage.js';

jest.setTimeout(40_000);

const UUID = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/;

const SETTINGS = { rate_limit: 10, webhook_auth_key: 'planted-auth-key', webhook_timeout: 1, retry_schedule: [1] };

describe('the log in production', () => {
  let stage: Stage;
  let app: DispatcherProcess;
  const under = (trace: string | null): LogLine[] => app.lines.filter((line) => line['trace.id'] === trace);

  beforeAll(async () => {
    stage = await Stage.set();
    app = await stage.replica(SETTINGS, {
      LOG_LEVEL: 'debug',
      SERVICE_NAME: 'logged-service',
      APP_REDIS_ADDR: new URL(process.env['TEST_REDIS_URL'] ?? '').host,
      APP_REDIS_DB: '5',
      APP_REDIS_PASSWORD: 'planted-redis-password',
      APP_REMOTE_ETCD_ENDPOINTS: new URL(process.env['TEST_ETCD_URL'] ?? '').host,
    });
  });
  afterAll(() => stage.strike());

  it('puts every line of a request, and of no other, under the X-Correlation-ID that it came with and echoes', async () => {
    const id = `caller's own id ${Date.now()} ~`;
    const reply = await app.request('GET', '/sent', undefined, { 'x-correlation-id': id });
    expect(reply.headers.get('x-correlation-id')).toBe(id);
    await eventually(() => expect(under(id)).not.toEqual([]));
    expect(under(id)).toEqual([
      expect.objectContaining({ 'http.request.method': 'GET', 'url.path': '/sent', 'http.response.status_code': 200 }),
    ]);
  });

  it('replaces an X-Correlation-ID that is too long or not printable, and puts the lines under the new one', async () => {
    for (const id of ['x'.repeat(129), 'tab\there', 'é']) {
      const given = (await app.request('GET', '/sent', undefined, { 'x-correlation-id': id })).headers.get(
        'x-correlation-id',
      );
      expect(given).toMatch(UUID);
      await eventually(() => expect(under(given)).toHaveLength(1));
    }
  });

  it('gives each job a trace.id of its own, which is the x-correlation-id of all its requests to the webhook', async () => {
    const from = stage.receiver.ledger.length;
    const arrived = async (count: number) =>
      await eventually(() => {
        const traces = stage.receiver.ledger.slice(from).map(({ headers }) => String(headers['x-correlation-id']));
        expect(traces).toHaveLength(count);
        return traces;
      });
    await stage.database.insertMessages(3);
    const [first = '', ...others] = await arrived(3);
    expect(first).toMatch(UUID);
    expect(others).toEqual([first, first]);
    await stage.database.insertMessages(1);
    const second = (await arrived(4)).at(-1) ?? '';
    expect(second).toMatch(UUID);
    expect(second).not.toBe(first);
    for (const trace of [first, second]) {
      await eventually(() =>
        expect(under(trace).map(({ message }) => message)).toEqual([expect.stringMatching(/^job \d+: \d accepted/)]),
      );
    }
  });

  it('shows no phone number, content, key or password of a busy run', async () => {
    const phones = ['905551234567', '905559876543', '905550001122', '905553334455'];
    const [phone, bare, wrong, inUrl] = phones;
    // A receiver that says everything back, and misbehaves in every way.
    let turn = 0;
    stage.receiver.behave = (received, response) => {
      turn += 1;
      const status = [202, 500, 400, 429, 200, 404][turn % 6] ?? 202;
      if (turn % 7 === 0) return void response.destroy();
      return answer(status, `no route to ${received.body}`, { 'retry-after': '1' })(received, response);
    };
    const plant = async (path: string, body: unknown) => await app.post(path, body);
    await plant('/messages', { recipient_phone: `+${phone}`, content: 'planted-content one' });
    await plant(
      '/messages',
      Array.from({ length: 30 }, (_, n) => ({ recipient_phone: bare, content: `planted-content ${n}` })),
    );
    await plant('/messages', { recipient_phone: `+${wrong} planted-content`, content: 'planted-content '.repeat(20) });
    await plant('/messages', `{"recipient_phone":"+${wrong}","content":"planted-content`);
    await plant('/messages', { [`+${wrong}`]: 'planted-content' });
    await plant('/stop', { by: `+${phone}`, reason: 'planted-content' });
    await plant('/start', { by: 'planted-content' });
    await app.get(`/messages/${inUrl}`);
    await app.get(`/unknown/+${inUrl}?to=%2B${inUrl}&content=planted-content`);
    await app.get(`/sent?cursor=planted-content-${inUrl}`);
    await app.get('/messages/planted-content');
    await app.get('/nowhere/planted-content%20one');
    await app.request('GET', '/sent', undefined, {
      authorization: 'Bearer planted-token',
      cookie: 'session=planted-token',
    });
    // Rows by hand that the service's own rules refuse.
    await stage.database.query(
      `INSERT INTO messages (recipient_phone, content) VALUES ('planted ${wrong}', 'planted-content')`,
    );
    await app.changeLive({ ...stage.live(SETTINGS), webhook_auth_key: 'planted-auth-key\u00e9' });
    await app.changeLive({ ...stage.live(SETTINGS), webhook_auth_key: 'planted-other-key', rate_limit: 'many' });
    await app.request('PUT', '/config/webhook_auth_key', { value: 'planted-auth-key\n' });
    await eventually(async () => expect(await stage.sentCount()).toBeGreaterThan(10), 20_000);
    stage.receiver.behave = accept;
    expect(await app.end()).toBe(0);

    const everything = app.printed.join('\n');
    const { password } = new URL(stage.database.url);
    for (const planted of [...phones, ...phones.map((one) => one.slice(2)), 'planted', password]) {
      const found = app.printed.find((line) => line.includes(planted));
      expect([planted, found]).toEqual([planted, undefined]);
    }
    expect(everything.length).toBeGreaterThan(5_000);
  });

  it('is nothing but ECS objects, one a line, each with the fields that every line has', () => {
    expect(app.printed.length).toBeGreaterThan(50);
    expect(app.printed.filter((line) => !line.startsWith('{'))).toEqual([]);
    expect(app.lines).toHaveLength(app.printed.length);
    for (const line of app.lines) {
      expect(line).toEqual(
        expect.objectContaining({
          '@timestamp': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown,
          'log.level': expect.stringMatching(/^(?:debug|info|warn|error|fatal)$/) as unknown,
          message: expect.stringMatching(/./) as unknown,
          'ecs.version': expect.stringMatching(/^\d+\.\d+\.\d+$/) as unknown,
          'service.name': 'logged-service',
        }),
      );
    }
  });
});

describe('the log', () => {
  let stage: Stage;
  let redis: RedisServer;
  beforeAll(async () => {
    stage = await Stage.set();
    redis = await RedisServer.prepared();
  });
  afterAll(async () => {
    await stage.strike();
    await redis.remove();
  });

  it('is at level info when LOG_LEVEL is unknown, and errors are error.type, error.message and error.stack_trace', async () => {
    const app = await stage.replica({}, { LOG_LEVEL: 'loud', APP_REDIS_ADDR: redis.address });
    expect((await app.logged(/LOG_LEVEL/))['log.level']).toBe('warn');
    expect((await app.logged(/Redis is out of reach/))['error']).toMatchObject({
      type: 'Error',
      message: expect.stringContaining('ECONNREFUSED') as unknown,
      stack_trace: expect.stringContaining('\n') as unknown,
      code: 'ECONNREFUSED',
    });
    const others = app.lines.filter((line) => !['info', 'warn'].includes(line['log.level']));
    expect(others).toEqual([]);
  });

  it.each(['dev', 'development'])('is readable lines with LOG_ENV=%s', async (environment) => {
    const app = await DispatcherProcess.start({
      env: { APP_DB_URL: stage.database.url, LOG_ENV: environment },
      live: stage.live(),
      listening: false,
    });
    await eventually(() => expect(app.printed.join('\n')).toMatch(/Listening on/), 20_000);
    expect(app.lines).toEqual([]);
    expect(app.printed.find((line) => line.includes('Listening on'))).toMatch(
      /^\[?\d\d:\d\d:\d\d\.\d{3}\]? INFO: Listening on http/,
    );
    await app.dispose();
  });
});
