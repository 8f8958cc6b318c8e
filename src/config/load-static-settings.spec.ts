import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as fc from 'fast-check';
import { StartupError } from '../startup-error.js';
import { loadStaticSettings } from './load-static-settings.js';
import { StaticSettings } from './static-settings.js';

const shipped = resolve('config');
const KEY = `ci:send:${'0'.repeat(64)}`;
const production = {
  APP_ENV: 'production',
  APP_API_KEYS: KEY,
  APP_DB_URL: 'postgres://u:s3cret@db/postgres',
  APP_CONFIG_DIR: shipped,
};

function refusal(environment: NodeJS.ProcessEnv): string {
  try {
    loadStaticSettings(environment);
  } catch (error) {
    if (error instanceof StartupError) return error.message;
    throw error;
  }
  throw new Error('the settings were accepted');
}

function outcome(environment: NodeJS.ProcessEnv): string {
  try {
    return Number.isInteger(loadStaticSettings(environment).listen.port) ? 'loaded' : 'without a port';
  } catch (error) {
    return error instanceof StartupError ? 'refused' : String(error);
  }
}

const redisUser = (env: NodeJS.ProcessEnv) => loadStaticSettings(env).redis?.username;

describe('static settings', () => {
  const folders: string[] = [];
  afterAll(() => {
    for (const folder of folders) rmSync(folder, { recursive: true });
  });

  function configDir(files: Readonly<Record<string, string>>): string {
    const folder = mkdtempSync(join(tmpdir(), 'static-settings-'));
    folders.push(folder);
    cpSync(join(shipped, 'app.defaults.yaml'), join(folder, 'app.defaults.yaml'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return folder;
  }

  function refusalOf(text: string): string {
    return refusal({ ...production, APP_ENV: 'stage', APP_CONFIG_DIR: configDir({ 'app.stage.yaml': text }) });
  }

  it('has a default for everything in local', () => {
    const settings = loadStaticSettings({});
    expect(settings).toBeInstanceOf(StaticSettings);
    expect(settings).toEqual({
      env: 'local',
      dbUrl: null,
      dbDirectUrl: null,
      dbDispatchConnections: 5,
      dbApiConnections: 5,
      redis: null,
      listen: { host: null, port: 8080 },
      etcdEndpoints: [],
      etcdPrefix: '/app/config',
      etcdAuth: null,
      etcdTls: null,
      sandbox: false,
      webhookAllow: { ranges: [], hosts: [] },
      webhookTls: null,
      access: null,
      hosts: [],
      apiRequestsPerMinute: 0,
      importMaxBytes: 1_073_741_824,
      importMaxRows: 10_000_000,
      serverReadTimeoutMs: 10_000,
      serverWriteTimeoutMs: 30_000,
      serverIdleTimeoutMs: 60_000,
      logLevel: 'info',
      logFormat: 'pretty',
      serviceName: 'message-dispatcher',
      tls: null,
      tlsFiles: null,
      configDir: shipped,
      warnings: [],
    });
    expect(Object.isFrozen(settings) && Object.isFrozen(settings.listen)).toBe(true);
  });

  it('understands every documented variable as the documentation writes it', () => {
    const dbUrl = 'postgres://postgres:postgres@db:5432/postgres?sslmode=disable';
    const settings = loadStaticSettings({
      APP_ENV: 'local',
      APP_DB_URL: dbUrl,
      APP_REDIS_ADDR: 'redis:6379',
      APP_REDIS_PASSWORD: '',
      APP_REDIS_DB: '0',
      APP_PORT: ':8080',
      APP_REMOTE_ETCD_ENDPOINTS: '["etcd:2379"]',
      APP_SERVER_READ_TIMEOUT: '11',
      APP_SERVER_WRITE_TIMEOUT: '31',
      APP_SERVER_IDLE_TIMEOUT: '61',
      LOG_LEVEL: 'debug',
      LOG_ENV: 'production',
      SERVICE_NAME: 'another',
      GIN_MODE: 'release',
      USE_HTTPS: 'false',
    });
    expect(settings).toMatchObject({
      dbUrl,
      redis: {
        mode: 'single',
        nodes: [{ host: 'redis', port: 6379 }],
        tls: false,
        username: null,
        password: null,
        sentinelPassword: null,
        db: 0,
      },
      etcdEndpoints: ['http://etcd:2379'],
      serverReadTimeoutMs: 11_000,
      serverWriteTimeoutMs: 31_000,
      serverIdleTimeoutMs: 61_000,
      logLevel: 'debug',
      logFormat: 'json',
      serviceName: 'another',
      warnings: [],
    });
  });

  it.each([
    [':8080', null, 8080],
    ['8080', null, 8080],
    ['0.0.0.0:8080', '0.0.0.0', 8080],
    ['127.0.0.1:8080', '127.0.0.1', 8080],
    ['[::]:8080', '::', 8080],
    ['localhost:0', 'localhost', 0],
  ])('takes %s for APP_PORT', (text, host, port) => {
    expect(loadStaticSettings({ APP_PORT: text }).listen).toEqual({ host, port });
  });

  it.each(['x', ':', ':-1', ':65536', '80 80', 'http://a:80', '[::]', '::1:80', '0x50', '8080.0'])(
    'refuses %s for APP_PORT',
    (text) => {
      expect(refusal({ APP_PORT: text })).toContain('APP_PORT must be a port from 0 to 65535');
    },
  );

  it.each([
    ['["a:2379","b:2379"]', ['http://a:2379', 'http://b:2379']],
    ['[a:2379]', ['http://a:2379']],
    ['[a:2379,b:2379]', ['http://a:2379', 'http://b:2379']],
    ['a:2379,b:2379', ['http://a:2379', 'http://b:2379']],
    [`'["a:2379"]'`, ['http://a:2379']],
    ['http://a:2379, b', ['http://a:2379', 'http://b:2379']],
    ['["https://a:2379","https://b:2379/"]', ['https://a:2379', 'https://b:2379']],
    ['[::1]:2379', ['http://[::1]:2379']],
    ['', []],
    ['  ', []],
    ['[]', []],
    ['[""]', []],
  ])('takes %s for the etcd endpoints', (text, urls) => {
    expect(loadStaticSettings({ APP_REMOTE_ETCD_ENDPOINTS: text }).etcdEndpoints).toEqual(urls);
  });

  it.each([
    'a:0',
    'a:99999',
    'a:b:c',
    'ftp://a:2379',
    'http://a,https://b',
    'http://u:p@a:2379',
    '{"a":1}',
    'a:1,,b:1',
  ])('refuses %s for the etcd endpoints', (text) => {
    const message = refusal({ APP_REMOTE_ETCD_ENDPOINTS: text });
    expect(message).toContain('APP_REMOTE_ETCD_ENDPOINTS must be a list of host:port');
    expect(message).not.toContain('u:p@');
  });

  it('puts the environment over app.<env>.yaml, and that over the defaults', () => {
    const folder = configDir({ 'app.stage.yaml': 'redis_addr: cache:1\nservice_name: from-file\nport: 9000\n' });
    const settings = loadStaticSettings({
      ...production,
      APP_ENV: 'stage',
      APP_CONFIG_DIR: folder,
      SERVICE_NAME: 'from-env',
    });
    expect(settings).toMatchObject({
      redis: { nodes: [{ host: 'cache', port: 1 }] },
      serviceName: 'from-env',
      logLevel: 'info',
    });
    expect(settings.listen.port).toBe(9000);
  });

  it('lets an empty variable switch off what a file switches on, and ignores it where something is needed', () => {
    const folder = configDir({
      'app.stage.yaml': 'redis_addr: cache\nremote_etcd_endpoints: [a:1, b:2]\nservice_name: from-file\n',
    });
    const environment = { ...production, APP_ENV: 'stage', APP_CONFIG_DIR: folder };
    expect(loadStaticSettings(environment).etcdEndpoints).toEqual(['http://a:1', 'http://b:2']);
    const emptied = { APP_REDIS_ADDR: '', APP_REMOTE_ETCD_ENDPOINTS: '', SERVICE_NAME: '' };
    expect(loadStaticSettings({ ...environment, ...emptied })).toMatchObject({
      redis: null,
      etcdEndpoints: [],
      serviceName: 'from-file',
    });
  });

  it('names every bad setting in one message, a line each', () => {
    const message = refusal({
      APP_ENV: 'production',
      APP_PORT: 'x',
      APP_REDIS_DB: '-1',
      APP_SERVER_READ_TIMEOUT: '1.5',
      APP_REMOTE_ETCD_ENDPOINTS: ':::',
      USE_HTTPS: 'perhaps',
      SERVICE_NAME: 'a\nb',
    });
    const lines = message.split('\n');
    expect(lines[0]).toBe('8 settings are not valid:');
    expect(lines).toHaveLength(9);
    expect(message).toContain('APP_REDIS_DB must be a whole number from 0 to 1023, but is "-1"');
    expect(message).toContain('APP_DB_URL is required unless APP_ENV is local');
    expect(message).toContain('APP_API_KEYS or APP_API_KEYS_FILE is required unless');
  });

  it('shows no password of a refused URL', () => {
    for (const url of [
      'mysql://user:s3cret@db/x',
      'postgres://user:s3cret@:x:/db',
      'postgres://u:s3c@ret@h:99999/db',
    ]) {
      const message = refusal({ APP_DB_URL: url });
      expect(message).toContain('APP_DB_URL must be a URL like');
      expect(message).not.toMatch(/s3c|ret@/);
    }
  });

  it.each(['disable', 'require', 'verify-full'])('passes sslmode=%s on as it is', (mode) => {
    const url = `postgres://u:p@h:5432/d?sslmode=${mode}`;
    expect(loadStaticSettings({ APP_DB_URL: url }).dbUrl).toBe(url);
  });

  it('takes a pooler and the way around it, and Sentinels with their password', () => {
    const settings = loadStaticSettings({
      APP_DB_URL: 'postgres://u@pooler:6432/d',
      APP_DB_DIRECT_URL: 'postgres://u@h1,h2/d',
      APP_REDIS_ADDR: 'redis-sentinel://s1,s2/orders',
      APP_REDIS_SENTINEL_PASSWORD: 's3cret',
    });
    expect(settings.dbDirectUrl).toBe('postgres://u@h1,h2/d');
    expect(settings.redis).toMatchObject({ masterName: 'orders', sentinelPassword: 's3cret' });
  });

  it('refuses another database than 0 in a Redis Cluster', () => {
    expect(refusal({ APP_REDIS_ADDR: 'redis-cluster://a,b', APP_REDIS_DB: '1' })).toContain(
      'APP_REDIS_DB must be 0 with a Redis Cluster',
    );
  });

  it('shows no password of a refused address of Redis', () => {
    expect(refusal({ APP_REDIS_ADDR: 'redis://:s3cret@redis:6379' })).not.toContain('s3cret');
  });

  it.each(['../etc', 'Production', 'a b', 'é'])('refuses the APP_ENV %s', (env) => {
    expect(refusal({ APP_ENV: env })).toContain('APP_ENV must be a name');
  });

  it('starts without app.<env>.yaml, with one warning', () => {
    const { warnings } = loadStaticSettings({ ...production, APP_ENV: 'nowhere' });
    expect(warnings).toEqual([expect.stringContaining('app.nowhere.yaml: no such file')]);
  });

  it('names the file of the defaults when it is missing, and nothing else', () => {
    const folder = mkdtempSync(join(tmpdir(), 'static-settings-'));
    folders.push(folder);
    const message = refusal({ APP_CONFIG_DIR: folder });
    expect(message.split('\n')).toHaveLength(2);
    expect(message).toContain('app.defaults.yaml: no such file');
  });

  it('refuses unknown keys, nested values, secrets and broken YAML in a file, without quoting it', () => {
    expect(refusalOf('servce_name: x')).toContain('servce_name is not a setting; did you mean service_name?');
    expect(refusalOf('rate_limit: 3')).toContain(
      'rate_limit is not a setting of this file: rate_limit is a live setting',
    );
    expect(refusalOf('port: {a: b}')).toContain('port must be text or a list of texts');
    expect(refusalOf('redis_password: s3cret')).toContain(
      'redis_password is a secret and is taken from APP_REDIS_PASSWORD alone',
    );
    expect(refusalOf('db_url: [s3cret')).not.toContain('s3cret');
    expect(refusalOf('db_url: *s3cret')).not.toContain('s3cret');
    expect(refusalOf('- a')).toContain('the document is not a list of "key: value" lines');
    expect(refusalOf('port: 1\nport: 2')).toContain('a key stands there twice at line 2');
  });

  const PEM = `-----BEGIN PRIVATE KEY-----\nS3CRET${'x'.repeat(58)}\n-----END PRIVATE KEY-----`;
  it.each([
    [{ USE_HTTPS: 'true', TLS_CERT: '/c', TLS_KEY: PEM }, 'TLS_KEY must be the path of a file'],
    [{ USE_HTTPS: 'true', TLS_CERT: '/c', TLS_KEY: PEM.replaceAll('\n', '\\n') }, 'TLS_KEY must be the path of a file'],
    [{ APP_WEBHOOK_CERT: '/c', APP_WEBHOOK_KEY: `S3CRET${'A'.repeat(100)}==` }, 'APP_WEBHOOK_KEY must be the path'],
    [{ APP_REMOTE_ETCD_KEY: `S3CRET ${'x'.repeat(300)}` }, 'APP_REMOTE_ETCD_KEY must be the path'],
    [{ APP_API_KEYS: '', APP_API_KEYS_FILE: PEM }, 'APP_API_KEYS_FILE must be the path'],
    [{ APP_PORT: PEM }, 'APP_PORT must be a port'],
    [{ APP_REDIS_ADDR: ':S3CRET@redis:6379' }, 'but is "***@redis:6379"'],
    [{ APP_REDIS_ADDR: 'u:p/S3CRET@redis' }, 'APP_REDIS_ADDR must be host:port'],
    [{ APP_REMOTE_ETCD_ENDPOINTS: 'root:S3CRET@etcd,S3CRET@etcd' }, 'APP_REMOTE_ETCD_ENDPOINTS must be'],
    [{ APP_WEBHOOK_ALLOW: 'u:S3CRET@gateway' }, 'APP_WEBHOOK_ALLOW'],
    [{ APP_DB_URL: 'postgres://u:S3CR@ET/S3CRET@db/postgres' }, 'in the password / is written %2F, @ %40'],
    [{ APP_DB_URL: 'postgres://u:12/S3CRET@db/postgres' }, 'in the password / is written %2F'],
    [{ APP_DB_URL: 'postgres://u:12?S3CRET@db/postgres' }, 'in the password / is written %2F'],
    [{ APP_DB_URL: 'postgres://u:12#S3CRET@db/postgres' }, 'in the password / is written %2F'],
    [{ APP_DB_URL: 'postgres://u:S3CRET@db/postgres?sslmode=bogus' }, 'must have an sslmode out of disable, prefer,'],
  ])('never quotes a secret that stands in the wrong place, and says what to do: %#', (env, reason) => {
    const said = refusal({ ...production, ...env });
    expect(said).toContain(reason);
    expect(said).not.toMatch(/S3CRET|S3CR@/);
  });

  it.each([
    'postgres://u:p@h/d?options=-c%20a%3Db',
    'postgres://u:a,b@c@h/d',
    'postgres://h/d?user=me@corp&sslmode=no-verify',
    'postgres://u%40corp:p@h/d?sslmode=prefer',
  ])('takes %s', (url) => {
    expect(outcome({ ...production, APP_DB_URL: url })).toBe('loaded');
  });

  it('warns of unknown APP_ variables and unknown log levels, and starts', () => {
    const { warnings, logLevel } = loadStaticSettings({ APP_PROT: ':80', LOG_LEVEL: 'loud', OTHER: '1' });
    expect(logLevel).toBe('info');
    expect(warnings).toEqual([
      expect.stringContaining('APP_PROT is not a setting of this service and changes nothing; did you mean APP_PORT?'),
      expect.stringContaining('LOG_LEVEL is not'),
    ]);
  });

  it.each(['APP_WEBHOOK_URL', 'APP_RATE_LIMIT', 'APP_WEBHOOK_AUTH_KEY'])(
    'says of %s where that setting belongs, and not that another one was meant',
    (name) => {
      const key = name.slice('APP_'.length).toLowerCase();
      expect(loadStaticSettings({ [name]: 'x' }).warnings).toEqual([
        `${name} changes nothing: ${key} is a live setting, taken from config/dynamic_config.yaml, from etcd or by PUT /config/${key}`,
      ]);
    },
  );

  it.each([
    ['100%', /a % is written %25/],
    ['%zz', /a % is written %25/],
  ])('names APP_DB_URL and what is wrong with the password %s, which it does not show', (password, fault) => {
    const message = refusal({ ...production, APP_DB_URL: `postgres://u:${password}@db:5432/d` });
    expect(message).toMatch(fault);
    expect(message).toContain('APP_DB_URL');
    expect(message.replace('%25', '')).not.toContain(`${password}@`);
  });

  it('refuses a schema in APP_DB_URL, which PostgreSQL does not know, unless it is the usual one', () => {
    const url = 'postgres://u:p@db/d?schema=';
    expect(refusal({ ...production, APP_DB_URL: `${url}sms` })).toContain('ALTER ROLE');
    expect(loadStaticSettings({ ...production, APP_DB_URL: `${url}public` }).dbUrl).toContain('schema=public');
  });

  it('takes the name of a Redis user from the address or from APP_REDIS_USERNAME, with a password alone', () => {
    const withPassword = { ...production, APP_REDIS_PASSWORD: 'pw' };
    expect(redisUser({ ...withPassword, APP_REDIS_ADDR: 'redis://dispatcher@redis:6379' })).toBe('dispatcher');
    expect(redisUser({ ...withPassword, APP_REDIS_ADDR: 'redis', APP_REDIS_USERNAME: 'other' })).toBe('other');
    expect(redisUser({ ...withPassword, APP_REDIS_ADDR: 'redis' })).toBeNull();
    const twice = { ...withPassword, APP_REDIS_ADDR: 'a@redis', APP_REDIS_USERNAME: 'b' };
    expect(refusal(twice)).toContain('APP_REDIS_USERNAME and APP_REDIS_ADDR name different users');
    expect(refusal({ ...production, APP_REDIS_ADDR: 'a@redis' })).toContain('APP_REDIS_PASSWORD');
  });

  it.each([
    ['production', 'json'],
    ['dev', 'pretty'],
    ['development', 'pretty'],
    ['else', 'json'],
  ])('LOG_ENV=%s logs %s', (env, format) => {
    expect(loadStaticSettings({ LOG_ENV: env }).logFormat).toBe(format);
  });

  describe('with TLS', () => {
    let cert: string;
    let key: string;

    beforeAll(() => {
      const folder = configDir({});
      cert = join(folder, 'cert.pem');
      key = join(folder, 'key.pem');
      const options = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost';
      execFileSync('openssl', [...options.split(' '), '-keyout', key, '-out', cert], { stdio: 'ignore' });
    });

    it('reads the certificate and the key of the server', () => {
      const { tls } = loadStaticSettings({ USE_HTTPS: 'true', TLS_CERT: cert, TLS_KEY: key });
      expect(tls?.cert.toString()).toContain('BEGIN CERTIFICATE');
      expect(tls?.key.toString()).toContain('BEGIN PRIVATE KEY');
    });

    it('names missing, unreadable and unusable files', () => {
      expect(refusal({ USE_HTTPS: 'true', TLS_CERT: cert })).toContain('TLS_KEY must name a PEM file');
      expect(refusal({ USE_HTTPS: 'true', TLS_CERT: '/nowhere', TLS_KEY: key })).toContain(
        'TLS_CERT: /nowhere cannot be read (ENOENT)',
      );
      expect(refusal({ USE_HTTPS: 'true', TLS_CERT: key, TLS_KEY: key })).toContain(
        'TLS_CERT and TLS_KEY cannot be used',
      );
    });

    it('reads no file as long as USE_HTTPS is false', () => {
      expect(loadStaticSettings({ TLS_CERT: '/nowhere', TLS_KEY: '/nowhere' }).tls).toBeNull();
    });

    it('connects to etcd over https when it is given a CA, unless http:// is written', () => {
      const given = { APP_REMOTE_ETCD_CA: cert, APP_REMOTE_ETCD_CERT: cert, APP_REMOTE_ETCD_KEY: key };
      const settings = loadStaticSettings({ ...given, APP_REMOTE_ETCD_ENDPOINTS: 'a:2379' });
      expect(settings.etcdEndpoints).toEqual(['https://a:2379']);
      expect(settings.etcdTls?.ca?.toString()).toContain('BEGIN CERTIFICATE');
      expect(refusal({ ...given, APP_REMOTE_ETCD_ENDPOINTS: 'http://a' })).toContain('write https://');
      expect(refusal({ APP_REMOTE_ETCD_CERT: cert })).toContain('belong together');
    });

    it('reads what the webhook needs, and names what is missing, unreadable or no certificate', () => {
      const { webhookTls } = loadStaticSettings({
        APP_WEBHOOK_CA: cert,
        APP_WEBHOOK_CERT: cert,
        APP_WEBHOOK_KEY: key,
      });
      expect(webhookTls?.ca?.toString()).toContain('BEGIN CERTIFICATE');
      expect(webhookTls?.key?.toString()).toContain('BEGIN PRIVATE KEY');
      expect(loadStaticSettings({ APP_WEBHOOK_CA: cert }).webhookTls).toMatchObject({ cert: null, key: null });
      expect(refusal({ APP_WEBHOOK_CERT: cert })).toContain('APP_WEBHOOK_CERT and APP_WEBHOOK_KEY belong together');
      expect(refusal({ APP_WEBHOOK_CA: '/nowhere' })).toContain('APP_WEBHOOK_CA: /nowhere cannot be read (ENOENT)');
      for (const given of [{ APP_WEBHOOK_CA: key }, { APP_WEBHOOK_CERT: cert, APP_WEBHOOK_KEY: cert }]) {
        expect(refusal(given)).toContain('APP_WEBHOOK_CA, _CERT and _KEY cannot be used');
      }
    });
  });

  it('never shows the etcd password, and wants a user with it', () => {
    const message = refusal({ APP_REMOTE_ETCD_PASSWORD: 's3cret', APP_PORT: 'x' });
    expect(message).toContain('APP_REMOTE_ETCD_PASSWORD is set without APP_REMOTE_ETCD_USER');
    expect(message).not.toContain('s3cret');
    const { etcdAuth } = loadStaticSettings({ APP_REMOTE_ETCD_USER: 'root', APP_REMOTE_ETCD_PASSWORD: 's3cret' });
    expect(etcdAuth).toEqual({ username: 'root', password: 's3cret' });
  });

  it('either loads or refuses, whatever the environment holds', () => {
    const names = ['APP_ENV', 'APP_DB_URL', 'APP_PORT', 'APP_REDIS_ADDR', 'APP_REDIS_DB', 'APP_REMOTE_ETCD_ENDPOINTS'];
    const value = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(':', '[', ']', ',', '"', '/', '@', '1', 'a') }),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), value), (environment) => {
        expect(outcome({ ...environment, APP_CONFIG_DIR: shipped })).toMatch(/^(loaded|refused)$/);
      }),
      { numRuns: 300 },
    );
  });
});
