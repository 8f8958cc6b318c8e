import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Writable } from 'node:stream';
import { Module, type DynamicModule } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { TypeOrmModule } from '@nestjs/typeorm';
import { LoggerModule } from 'nestjs-pino';
import { createApp } from '../src/app.setup.js';
import { ConfigModule } from '../src/config/config.module.js';
import { configSchema, settingSchema } from '../src/config/config.schemas.js';
import { LiveConfig } from '../src/config/live-config.js';
import { loadStaticSettings } from '../src/config/load-static-settings.js';
import type { StaticSettings } from '../src/config/static-settings.js';
import { dataSourceOptions } from '../src/data-source.js';
import { createLogger, loggingParams } from '../src/logging.js';
import { EtcdServer } from './support/etcd-server.js';
import { eventually } from './support/eventually.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import { TcpProxy } from './support/tcp-proxy.js';
import type { TestDatabase } from './support/test-database.js';

jest.setTimeout(60_000);

@Module({})
// oxlint-disable-next-line typescript/no-extraneous-class -- a Nest module is a class
class ConfigAlone {
  static register(settings: StaticSettings): DynamicModule {
    return {
      module: ConfigAlone,
      imports: [
        LoggerModule.forRoot(loggingParams(settings)),
        TypeOrmModule.forRoot(dataSourceOptions(String(settings.dbUrl))),
        ConfigModule.register(settings),
      ],
    };
  }
}

async function call(app: NestFastifyApplication, method: 'GET' | 'PUT' | 'DELETE', path: string, body?: object) {
  const reply = await app.inject({ method, url: `/config${path}`, ...(body === undefined ? {} : { payload: body }) });
  return { status: reply.statusCode, body: reply.json<Record<string, unknown>>() };
}
async function read(app: NestFastifyApplication) {
  return configSchema.parse((await call(app, 'GET', '')).body);
}

describe('/config', () => {
  let folder: string;
  let server: EtcdServer;
  let migrated: MigratedDatabase;
  let database: TestDatabase;
  const apps: NestFastifyApplication[] = [];
  let log = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      log += chunk.toString();
      done();
    },
  });

  beforeAll(async () => {
    // The first reading has a time limit, and loading the client for the first time would count.
    await import('etcd3');
    folder = mkdtempSync(join(tmpdir(), 'config-api-'));
    cpSync('config/app.defaults.yaml', join(folder, 'app.defaults.yaml'));
    writeFileSync(join(folder, 'dynamic_config.yaml'), 'max_attempts: 9\nrate_limit: 5\n');
    server = await EtcdServer.started();
    migrated = await createMigratedDatabase();
    ({ database } = migrated);
  });
  beforeEach(() => server.hands.deleteAll());
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });
  afterAll(async () => {
    await server.remove();
    await migrated.drop();
    rmSync(folder, { recursive: true });
  });

  async function start(endpoints = server.url, env: NodeJS.ProcessEnv = {}): Promise<NestFastifyApplication> {
    const settings = loadStaticSettings({
      ...env,
      APP_CONFIG_DIR: folder,
      APP_DB_URL: database.url,
      APP_REMOTE_ETCD_ENDPOINTS: endpoints,
      LOG_ENV: 'json',
    });
    const app = await createApp(settings, ConfigAlone.register(settings), createLogger(settings, stdout));
    apps.push(app);
    await app.init();
    return app;
  }

  it('shows what is in force, who said so, what was refused, and how the sources do', async () => {
    await server.hands.put('rate_limit', '7');
    await server.hands.put('scheduler_interval', '0');
    await server.hands.put('webhook_auth_key', 's3cret');
    await server.hands.put('rate_limt', '1');
    const { settings, sources, complete } = await read(await start());
    const setting = (key: string) => settings.find((one) => one.key === key);
    expect(complete).toBe(true);
    expect(setting('rate_limit')).toMatchObject({ value: 7, source: 'etcd', refused: [] });
    expect(setting('max_attempts')).toMatchObject({ value: 9, source: 'file' });
    expect(setting('retry_schedule')).toMatchObject({
      value: [30, 120, 600, 3600, 21_600],
      source: 'default',
      version: null,
    });
    expect(setting('webhook_auth_key')).toMatchObject({ value: '***', source: 'etcd' });
    expect(setting('scheduler_interval')).toMatchObject({
      value: 120,
      source: 'default',
      refused: [{ source: 'etcd' }],
    });
    expect(sources[0]).toMatchObject({ name: 'etcd', connected: true, problem: null, unknown_keys: ['rate_limt'] });
    expect(sources[1]).toMatchObject({ name: 'file', connected: true });
  });

  it('puts a value into etcd, in force at once here and soon on the other replica, and deletes it again', async () => {
    const [one, other] = [await start(), await start()];
    const put = await call(one, 'PUT', '/rate_limit', { value: 50 });
    expect(put.status).toBe(200);
    expect(settingSchema.parse(put.body)).toMatchObject({ key: 'rate_limit', value: 50, source: 'etcd' });
    expect(one.get(LiveConfig).current.rateLimit).toBe(50);
    await eventually(() => expect(other.get(LiveConfig).current.rateLimit).toBe(50));
    const deleted = await call(other, 'DELETE', '/rate_limit');
    expect(deleted).toMatchObject({ status: 200, body: { value: 5, source: 'file' } });
    await eventually(() => expect(one.get(LiveConfig).current.rateLimit).toBe(5));
    expect((await call(one, 'DELETE', '/rate_limit')).status).toBe(200);
    expect(await database.query(`SELECT actor, action, detail FROM operator_actions ORDER BY id LIMIT 2`)).toEqual([
      { actor: '127.0.0.1', action: 'config-set', detail: { key: 'rate_limit', value: 50, source: 'etcd' } },
      { actor: '127.0.0.1', action: 'config-unset', detail: { key: 'rate_limit' } },
    ]);
  });

  describe('when its own answers from etcd take long', () => {
    const noted5 = [{ detail: { key: 'rate_limit', value: 5, source: 'etcd' } }];
    let way: TcpProxy;
    beforeEach(async () => {
      await database.query('TRUNCATE operator_actions');
      way = await TcpProxy.to(server.url);
    });
    afterEach(() => way.stop());

    /** Has a replica put 5, which etcd takes a second before that replica hears of it; resolves in that second. */
    async function put5() {
      const [slow, quick] = [await start(way.url), await start()];
      way.delay(1_000);
      const reply = call(slow, 'PUT', '/rate_limit', { value: 5, version: '0' });
      await eventually(() => {
        const { settings } = quick.get(LiveConfig).describe();
        expect(settings).toContainEqual(expect.objectContaining({ key: 'rate_limit', value: 5, source: 'etcd' }));
      });
      return { reply };
    }

    it('notes what it wrote, though somebody else has written since, and answers with what is in force', async () => {
      const { reply } = await put5();
      await server.hands.put('rate_limit', '7');
      expect(await reply).toMatchObject({ status: 200, body: { value: 7 } });
      expect(await database.query('SELECT detail FROM operator_actions')).toEqual(noted5);
    });

    it('notes what it wrote and answers 503 when it cannot be read back', async () => {
      const { reply } = await put5();
      server.pause();
      try {
        expect(await reply).toMatchObject({
          status: 503,
          body: { code: 'config.etcd_unavailable', error: expect.stringContaining('did not confirm') as unknown },
        });
        expect(await database.query('SELECT detail FROM operator_actions')).toEqual(noted5);
      } finally {
        server.resume();
      }
    });
  });

  it('takes text, numbers, booleans and lists', async () => {
    const app = await start();
    const values = { webhook_url: 'http://h/x', auto_sending: false, retry_schedule: [1, 2], on_uncertain: '"hold"' };
    for (const [key, value] of Object.entries(values)) {
      expect((await call(app, 'PUT', `/${key}`, { value })).status).toBe(200);
    }
    expect(app.get(LiveConfig).current).toMatchObject({
      webhookUrl: 'http://h/x',
      autoSending: false,
      retryScheduleMs: [1000, 2000],
      onUncertain: 'hold',
    });
  });

  it('refuses what does not fit, under the rules by which it is read, and writes nothing', async () => {
    const app = await start();
    for (const value of [0, -1, 1.5, 1e12, 'abc', '']) {
      expect(await call(app, 'PUT', '/rate_limit', { value })).toMatchObject({
        status: 422,
        body: { code: 'config.invalid_value' },
      });
    }
    for (const [key, value] of [
      ['rate_limit', true],
      ['rate_limit', [1]],
      ['webhook_auth_key', [1, 2]],
      ['webhook_auth_key', ['s3cret']],
      ['webhook_auth_key', 12_345],
    ] as const) {
      const { status, body } = await call(app, 'PUT', `/${key}`, { value });
      expect([key, status, body['code']]).toEqual([key, 400, 'config.invalid_type']);
      expect(body['error']).toMatch(new RegExp(`^${key} must be text(?: or a number)?, but is (?:a|true)`));
    }
    expect((await read(app)).settings.filter(({ source }) => source === 'etcd')).toEqual([]);
    expect(await call(app, 'PUT', '/rate_limt', { value: 1 })).toMatchObject({
      status: 404,
      body: { code: 'config.unknown_key', error: expect.stringContaining('did you mean rate_limit?') as unknown },
    });
    for (const body of [{}, { value: null }, { value: { a: 1 } }, { value: 1, extra: 1 }, { value: 1, version: 'x' }]) {
      expect(await call(app, 'PUT', '/rate_limit', body)).toMatchObject({
        status: 400,
        body: { code: 'request.invalid' },
      });
    }
    expect((await read(app)).settings.find(({ key }) => key === 'rate_limit')).toMatchObject({
      source: 'file',
      refused: [],
    });
  });

  it('refuses a webhook_url at an address that no connection would be made to, in every environment but local', async () => {
    const elsewhere = {
      APP_ENV: 'stage',
      APP_AUTH: 'none',
      APP_DB_URL: 'postgres://db/x',
      APP_WEBHOOK_ALLOW: '10.1.0.0/16',
    };
    const app = await start(server.url, elsewhere);
    for (const value of [
      'http://169.254.169.254/',
      'http://0x7f.1/',
      '"http://[::ffff:a00:1]/"',
      'https://10.0.0.1/',
    ]) {
      expect([value, await call(app, 'PUT', '/webhook_url', { value })]).toMatchObject([
        value,
        {
          status: 422,
          body: { code: 'config.invalid_value', error: expect.stringContaining('APP_WEBHOOK_ALLOW') as unknown },
        },
      ]);
    }
    for (const value of ['https://10.1.0.1/', 'https://1.1.1.1/', 'https://localhost/']) {
      expect((await call(app, 'PUT', '/webhook_url', { value })).status).toBe(200);
    }
    const local = await start();
    expect((await call(local, 'PUT', '/webhook_url', { value: 'http://127.0.0.1:9090/' })).status).toBe(200);
  });

  it('writes only over the version that it is told', async () => {
    const app = await start();
    expect((await call(app, 'PUT', '/rate_limit', { value: 7, version: '0' })).status).toBe(200);
    const { version } = settingSchema.parse((await call(app, 'PUT', '/rate_limit', { value: 8 })).body);
    await server.hands.put('rate_limit', '9');
    expect(await call(app, 'PUT', '/rate_limit', { value: 10, version })).toMatchObject({
      status: 409,
      body: { code: 'config.changed_meanwhile' },
    });
    expect(await call(app, 'DELETE', `/rate_limit?version=${version}`)).toMatchObject({ status: 409 });
    await eventually(() => expect(app.get(LiveConfig).current.rateLimit).toBe(9));
  });

  it('answers 409 where there is no etcd, and goes by the file', async () => {
    const app = await start('');
    expect(await call(app, 'PUT', '/rate_limit', { value: 7 })).toMatchObject({
      status: 409,
      body: { code: 'config.no_etcd' },
    });
    expect(await call(app, 'DELETE', '/rate_limit')).toMatchObject({ status: 409, body: { code: 'config.no_etcd' } });
    expect((await read(app)).sources.map(({ name }) => name)).toEqual(['file']);
  });

  it('changes a setting although PostgreSQL cannot note who did, and says so in the log', async () => {
    const app = await start();
    log = '';
    await database.query('ALTER TABLE operator_actions RENAME TO away');
    expect((await call(app, 'PUT', '/rate_limit', { value: 11 })).status).toBe(200);
    await database.query('ALTER TABLE away RENAME TO operator_actions');
    expect(app.get(LiveConfig).current.rateLimit).toBe(11);
    expect(log).toContain('config-set rate_limit by 127.0.0.1, which operator_actions does not tell');
  });

  it('answers 503 while etcd is out of reach, and says since when', async () => {
    const app = await start('127.0.0.1:1');
    expect(await call(app, 'PUT', '/rate_limit', { value: 7 })).toMatchObject({
      status: 503,
      body: { code: 'config.etcd_unavailable' },
    });
    const { complete, sources } = await read(app);
    expect(complete).toBe(false);
    expect(sources[0]).toMatchObject({ name: 'etcd', connected: false, version: null });
    expect(sources[0]?.problem).not.toBeNull();
  });

  it('lets no text hold up the process: not 8 kB through the API, and not 40 kB or a name of Object.prototype in etcd', async () => {
    const app = await start();
    const stalls = monitorEventLoopDelay({ resolution: 5 });
    stalls.enable();
    const hostile = ';key'.repeat(10_000);
    for (const key of ['rate_limit', 'webhook_url', 'on_uncertain']) {
      expect(await call(app, 'PUT', `/${key}`, { value: hostile.slice(0, 8192) })).toMatchObject({ status: 422 });
      await server.hands.put(key, hostile);
    }
    for (const name of ['__proto__', 'constructor']) {
      expect(await call(app, 'PUT', '/auto_sending', { value: name })).toMatchObject({ status: 422 });
      await server.hands.put('auto_sending', name);
    }
    await server.hands.put('max_attempts', '11');
    await eventually(() => expect(app.get(LiveConfig).current.maxAttempts).toBe(11));
    stalls.disable();
    expect(app.get(LiveConfig).current.autoSending).toBe(true);
    const { settings } = await read(app);
    expect(settings.find(({ key }) => key === 'rate_limit')?.refused[0]?.reason).toBe(
      'rate_limit must be at most 16384 characters long',
    );
    // Of a machine that others use as well: quadratic work would take seconds, and what it was before, minutes.
    expect(stalls.max / 1e6).toBeLessThan(500);
  });

  it('shows the auth key, and what a webhook_url holds, in no reply and in no line of the log', async () => {
    log = '';
    const app = await start();
    const replies = [
      await call(app, 'PUT', '/webhook_auth_key', { value: 's3cret-one' }),
      await call(app, 'PUT', '/webhook_auth_key', { value: 's3cret-two' }),
      await call(app, 'PUT', '/webhook_auth_key', { value: 's3cret\r\nthree' }),
      await call(app, 'PUT', '/webhook_url', { value: 'http://h/s3cret/x?sig=s3cret&code=s3cret' }),
      await call(app, 'PUT', '/webhook_url', { value: 'http://h/b t/s3cret?sig=s3cret' }),
      await call(app, 'GET', ''),
    ];
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 422, 200, 422, 200]);
    expect(replies[3]?.body).toMatchObject({ value: 'http://h/…?***' });
    expect(app.get(LiveConfig).current.webhookAuthKey).toBe('s3cret-two');
    expect(log).toContain('webhook_auth_key');
    const noted = await database.query('SELECT detail FROM operator_actions');
    expect(JSON.stringify([replies, noted]) + log).not.toContain('s3cret');
  });
});
