import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import { stringify } from 'yaml';
import { Postgres } from '../chaos/postgres.js';
import { Redis } from '../chaos/redis.js';
import { startEtcd } from './etcd.js';
import { Inspector } from './inspector.js';
import { secretInLog, SECRETS } from './secrets.js';
import { SMUGGLED } from './raw-shots.js';

const START_MS = 60_000;
const END_MS = 20_000;

/** Who stopped the sending is told on purpose, as they named themselves; it is no content. */
const WHO_STOPPED = /"message":"sending is stopped since [^"]*"/;

/** One running service on stores of its own, with secrets planted in its settings, and all that it says. */
export class Instance {
  /**
   * @param {import('node:child_process').ChildProcess} child
   * @param {import('node:fs').WriteStream} log
   */
  constructor(child, log) {
    this.child = child;
    /** @type {import('./types.js').Failure[]} */
    this.failures = [];
    this.lines = 0;
    this.origin = '';
    this.inspectorUrl = '';
    this.ending = false;
    this.ended = once(child, 'close');
    child.once('exit', (code, signal) => {
      if (!this.ending) this.failures.push({ rule: 'no crash', what: `the service ended with ${code ?? signal}` });
    });
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.take(line, log));
    }
  }

  /**
   * @param {string} folder
   * @param {string} build
   * @param {(() => Promise<unknown> | void)[]} cleanUps
   */
  static async start(folder, build, cleanUps) {
    for (const name of ['redis', 'etcd', 'config']) mkdirSync(join(folder, name));
    const postgres = await Postgres.start(join(folder, 'postgres'), build);
    cleanUps.push(() => postgres.dispose());
    const redis = await Redis.start(join(folder, 'redis'));
    cleanUps.push(() => redis.stop('SIGKILL'));
    await redis.command((client) => client.config('SET', 'requirepass', SECRETS.redisPassword));
    const etcd = await startEtcd(join(folder, 'etcd'));
    cleanUps.push(() => etcd.stop());
    const webhook = await startReceiver();
    cleanUps.push(() => webhook.stop());

    cpSync(join(build, 'config'), join(folder, 'config'), { recursive: true });
    writeFileSync(
      join(folder, 'config/dynamic_config.yaml'),
      stringify({ webhook_url: webhook.url, webhook_auth_key: SECRETS.authKey, scheduler_interval: 1, rate_limit: 20 }),
    );
    const args = ['--inspect=127.0.0.1:0', join(build, 'dist/src/main.js')];
    const child = spawn(process.execPath, args, {
      cwd: build,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        APP_ENV: 'dev',
        LOG_ENV: 'production',
        LOG_LEVEL: 'debug',
        APP_PORT: '127.0.0.1:0',
        APP_CONFIG_DIR: join(folder, 'config'),
        APP_DB_URL: await databaseUrl(postgres),
        APP_REDIS_ADDR: redis.address,
        APP_REDIS_PASSWORD: SECRETS.redisPassword,
        APP_REMOTE_ETCD_ENDPOINTS: etcd.endpoint,
        APP_SERVER_READ_TIMEOUT: '2',
        APP_SERVER_WRITE_TIMEOUT: '5',
        APP_SERVER_IDLE_TIMEOUT: '2',
      },
    });
    process.once('exit', () => child.kill('SIGKILL'));
    const instance = new Instance(child, createWriteStream(join(folder, 'service.log')));
    cleanUps.push(() => instance.kill());
    await instance.listening();
    return instance;
  }

  get port() {
    return Number(new URL(this.origin).port);
  }

  async inspector() {
    return await Inspector.connect(this.inspectorUrl);
  }

  /** As an operator does; the exit code. */
  async stop() {
    this.ending = true;
    const force = setTimeout(() => this.child.kill('SIGKILL'), END_MS);
    this.child.kill('SIGTERM');
    await this.ended;
    clearTimeout(force);
    return this.child.exitCode;
  }

  async kill() {
    this.ending = true;
    this.child.kill('SIGKILL');
    await this.ended;
  }

  async listening() {
    const deadline = Date.now() + START_MS;
    while (this.origin === '' || this.inspectorUrl === '') {
      if (this.child.exitCode !== null || Date.now() > deadline) throw new Error('the service did not start');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /**
   * @param {string} line
   * @param {import('node:fs').WriteStream} log
   */
  take(line, log) {
    this.lines += 1;
    log.write(`${line}\n`);
    const listening = /Listening on (https?:\/\/[^ ]+)/.exec(line)?.[1];
    if (listening !== undefined) this.origin = listening.replace('localhost', '127.0.0.1');
    this.inspectorUrl ||= /Debugger listening on (ws:\S+)/.exec(line)?.[1] ?? '';
    const shown = line.slice(0, 2_000);
    const secret = secretInLog(line.replace(WHO_STOPPED, ''));
    if (secret !== null) this.failures.push({ rule: 'no secret in the log', what: `${secret} in ${shown}` });
    if (line.includes('"log.level":"error"') || line.includes('"log.level":"fatal"')) {
      this.failures.push({ rule: 'no error in the log', what: shown });
    }
    if (line.includes(`"url.path":"${SMUGGLED}`)) this.failures.push({ rule: 'no smuggled request', what: shown });
  }
}

/** @param {Postgres} postgres */
async function databaseUrl(postgres) {
  const url = new URL(await postgres.createDatabase('fuzz'));
  const client = new Client({ connectionString: url.href });
  await client.connect();
  await client.query(`CREATE ROLE fuzz SUPERUSER LOGIN PASSWORD '${SECRETS.databasePassword}'`);
  await client.end();
  url.username = 'fuzz';
  url.password = SECRETS.databasePassword;
  return url.href;
}

/** Takes every message; each hundredth is refused, so that there is something to retry. */
async function startReceiver() {
  let requests = 0;
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      requests += 1;
      response.writeHead(requests % 100 === 0 ? 422 : 202, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ message: 'Accepted', messageId: `receipt-${requests}` }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('127.0.0.1 gave no TCP port');
  return {
    url: `http://127.0.0.1:${address.port}/`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
