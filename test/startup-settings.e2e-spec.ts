import { readFile } from 'node:fs/promises';
import { get } from 'node:https';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { makeCertificates, type Certificates } from './support/certificates.js';
import { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

const ETCD = new URL(process.env['TEST_ETCD_URL'] ?? 'http://127.0.0.1:2379').host;

const started: DispatcherProcess[] = [];
/** A process that is expected to end by itself. */
async function failedStart(env: Readonly<Record<string, string>>) {
  const app = await DispatcherProcess.start({ env, listening: false });
  started.push(app);
  const code = await app.exitCode();
  return { code, app, said: app.printed.join('\n') };
}
afterEach(() => Promise.all(started.splice(0).map((app) => app.dispose())));

describe('a setting that is not valid', () => {
  const BAD = {
    APP_DB_URL: 'mysql://me:hunter2@db/x?password=hunter3',
    APP_DB_DIRECT_URL: 'postgres://me:hunter5@h1,h2/x?target_session_attrs=standby',
    APP_REDIS_ADDR: 'redis:99999',
    APP_REDIS_SENTINEL_PASSWORD: 'hunter6'.repeat(1000),
    APP_REDIS_PASSWORD: 'hunter4'.repeat(1000),
    APP_REDIS_DB: 'first',
    APP_PORT: ':http',
    APP_REMOTE_ETCD_ENDPOINTS: '["etcd:2379:1"]',
    APP_WEBHOOK_ALLOW: '10.0.0.0/33',
    APP_SERVER_READ_TIMEOUT: '0',
    APP_SERVER_WRITE_TIMEOUT: '1.5',
    APP_SERVER_IDLE_TIMEOUT: '10s',
    SERVICE_NAME: 'ç'.repeat(3),
    USE_HTTPS: 'maybe',
  };

  it('stops the start with exit code 1 and one line that names every bad variable at once, no secret, no stack', async () => {
    const { code, app, said } = await failedStart(BAD);
    expect(code).toBe(1);
    expect(app.printed).toHaveLength(1);
    expect(app.lines[0]?.['log.level']).toBe('error');
    for (const name of Object.keys(BAD)) expect(app.lines[0]?.message).toContain(name);
    expect(said).not.toMatch(/hunter|\\n +at |\n +at /);
  });

  it('is told readably, a variable a line, where the log is for people', async () => {
    const { code, app, said } = await failedStart({ ...BAD, LOG_ENV: 'dev' });
    expect(code).toBe(1);
    expect(app.lines).toEqual([]);
    expect(app.printed).toHaveLength(1 + Object.keys(BAD).length);
    for (const name of Object.keys(BAD)) expect(said).toMatch(new RegExp(`^ +- ${name} must be `, 'm'));
    expect(said).not.toMatch(/hunter|\\n +at |\n +at /);
  });

  it.each([
    ['APP_DB_URL', { APP_ENV: 'production', APP_AUTH: 'none' }],
    ['APP_WEBHOOK_CA', { APP_DB_URL: 'postgres://db/x', APP_WEBHOOK_CA: 'package.json' }],
    ['APP_WEBHOOK_KEY', { APP_DB_URL: 'postgres://db/x', APP_WEBHOOK_CERT: 'package.json' }],
    ['APP_CONFIG_DIR', { APP_CONFIG_DIR: '/nowhere/at/all', APP_DB_URL: 'postgres://db/x' }],
  ])('is %s alone', async (name, env) => {
    const { code, app, said } = await failedStart(env);
    expect(code).toBe(1);
    expect(app.printed).toHaveLength(1);
    expect(said).toContain(name);
  });
});

describe('the documented variables', () => {
  let stage: Stage;

  beforeAll(async () => (stage = await Stage.set()));
  afterAll(() => stage.strike());

  it('are understood in every form of APP_PORT and of the etcd endpoints', async () => {
    const forms = [
      [':0', `["${ETCD}"]`],
      ['0', `[${ETCD}]`],
      ['0.0.0.0:0', `${ETCD},${ETCD}`],
      ['127.0.0.1:0', `["http://${ETCD}/"]`],
      ['[::]:0', ETCD],
    ];
    await Promise.all(
      forms.map(async ([port = '', endpoints = '']) => {
        const app = await stage.replica({}, { APP_PORT: port, APP_REMOTE_ETCD_ENDPOINTS: endpoints });
        expect((await app.get('/health')).status).toBe(200);
        const ready = (await app.get('/health/ready')).json<{ details: { etcd: object } }>();
        expect([endpoints, ready.details.etcd]).toEqual([endpoints, { status: 'up' }]);
        await app.dispose();
      }),
    );
  });

  it('are all taken, GIN_MODE does no harm, and an empty list of etcd endpoints makes no noise', async () => {
    const app = await stage.replica(
      {},
      {
        APP_REDIS_ADDR: new URL(process.env['TEST_REDIS_URL'] ?? '').host,
        APP_REDIS_PASSWORD: '',
        APP_REDIS_DB: '5',
        APP_REMOTE_ETCD_ENDPOINTS: '',
        APP_SERVER_READ_TIMEOUT: '10',
        APP_SERVER_WRITE_TIMEOUT: '30',
        APP_SERVER_IDLE_TIMEOUT: '60',
        LOG_LEVEL: 'info',
        SERVICE_NAME: 'another-name',
        GIN_MODE: 'nonsense',
        USE_HTTPS: 'false',
      },
    );
    await app.logged(/Listening/);
    expect(app.lines.filter((line) => line['log.level'] === 'warn' || line['log.level'] === 'error')).toEqual([]);
    expect(app.printed.join('\n')).not.toMatch(/etcd/i);
    expect(app.lines[0]?.['service.name']).toBe('another-name');
    const { details } = (await app.get('/health/ready')).json<{ details: Record<string, object> }>();
    expect(details).toMatchObject({ etcd: { configured: false }, redis: { status: 'up' } });
  });

  it('that are misspelt are named, with what was perhaps meant, and stop nothing', async () => {
    const app = await stage.replica({}, { APP_REDIS_ADR: 'redis:6379' });
    expect((await app.logged(/APP_REDIS_ADR/)).message).toContain('APP_REDIS_ADDR');
  });
});

describe('USE_HTTPS', () => {
  let stage: Stage;
  let certificates: Certificates;

  beforeAll(async () => {
    stage = await Stage.set();
    certificates = makeCertificates();
  });
  afterAll(() => stage.strike());

  const on = () => ({ USE_HTTPS: 'true', TLS_CERT: certificates.cert, TLS_KEY: certificates.key });

  it('serves HTTPS on the one port, and nothing in clear', async () => {
    const app = await stage.replica({}, on());
    expect(app.origin).toMatch(/^https:/);
    const ca = await readFile(certificates.ca);
    const body = await new Promise<string>((resolve, reject) => {
      get(`${app.origin}/health`, { ca }, (response) => resolve(text(response))).on('error', reject);
    });
    expect(body).toBe('{"status":"healthy"}');
    const inClear = connect(Number(new URL(app.origin).port), '127.0.0.1');
    inClear.end('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await text(inClear).catch(() => '')).not.toContain('healthy');
    expect((await app.end()) ?? -1).toBe(0);
  });

  it.each([
    [
      'files that cannot be read',
      { TLS_CERT: '/nowhere/cert.pem', TLS_KEY: '/tmp' },
      /TLS_CERT: \/nowhere\/cert\.pem cannot be read.*TLS_KEY: \/tmp cannot be read/,
    ],
    ['a certificate that is none', { TLS_CERT: 'package.json' }, /TLS_CERT and TLS_KEY cannot be used together/],
  ])('with %s is exit code 1 and one line', async (_what, wrong, message) => {
    const { code, app, said } = await failedStart({ APP_DB_URL: 'postgres://db/x', ...on(), ...wrong });
    expect(code).toBe(1);
    expect(app.printed).toHaveLength(1);
    expect(said).toMatch(message);
  });
});

describe('no webhook_url', () => {
  let stage: Stage;
  beforeEach(async () => (stage = await Stage.set()));
  afterEach(() => stage.strike());

  it('marks nothing in a database of its own user in local, unless the sandbox is asked for', async () => {
    const app = await stage.replica({ webhook_url: undefined }, { APP_ENV: 'local' });
    await stage.database.insertMessages(2);
    await eventually(async () =>
      expect((await stage.jobs()).filter(({ state }) => state === 'done').length).toBeGreaterThanOrEqual(2),
    );
    expect(await stage.sentCount()).toBe(0);
    expect((await app.get('/health/ready')).text).toContain('webhook_url is not set');
    expect((await app.get('/scheduler')).text).toContain('"settings_notes":["webhook_url is not set');
    await app.logged(/^webhook_url is not set, so nothing is sent/);

    await app.setLive(stage.live({ webhook_url: 'sandbox' }));
    await eventually(async () => expect(await stage.sentCount()).toBe(2));
    await app.logged(/^messages go to the sandbox receiver and to nobody else/);
    expect(await app.end()).toBe(0);

    const asked = await stage.replica({ webhook_url: undefined }, { APP_ENV: 'local', APP_SANDBOX: 'true' });
    await stage.database.insertMessages(1);
    await eventually(async () => expect(await stage.sentCount()).toBe(3));
    await asked.dispose();
  });

  it('lets slots pass without a request, warns once, is not ready and says why; the first URL starts the sending', async () => {
    const app = await stage.replica({ webhook_url: undefined });
    await stage.database.insertMessages(2);
    await eventually(async () =>
      expect((await stage.jobs()).filter(({ state }) => state === 'done').length).toBeGreaterThanOrEqual(2),
    );

    expect(stage.receiver.ledger).toEqual([]);
    expect(await stage.sentCount()).toBe(0);
    const warnings = app.lines.filter((line) => line['log.level'] === 'warn' && /webhook_url/.test(line.message));
    expect(warnings).toHaveLength(1);
    const ready = await app.get('/health/ready');
    expect(ready.status).toBe(503);
    expect(ready.json()).toMatchObject({
      error: { webhook: { status: 'down', message: expect.stringContaining('webhook_url is not set') as unknown } },
    });
    expect((await app.get('/health/live')).status).toBe(200);

    await app.setLive(stage.live());
    await eventually(async () => expect(await stage.sentCount()).toBe(2));
    expect((await app.get('/health/ready')).status).toBe(200);
  });
});
