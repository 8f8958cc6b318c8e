// Runs the services of one test run until standard input closes, for whatever reason, kill -9 of the runner included; then
// stops them and removes what they wrote. The runner starts this in a session of its own, where Ctrl-C does not reach it.
// The first line on standard output is JSON: the environment of the tests, or {"error": "…"}.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findPostgresBinaries, freePort, startEmbeddedPostgres } from './built-local.js';
import { findServiceBinaries } from './service-binaries.js';
import { signalGroup } from './signal-group.js';

const READY_MS = 20_000;
const STOP_MS = 5_000;
const PORT_TRIES = 3;

/** @type {(() => Promise<void>)[]} */
const stops = [];
/** The process group of jest; nobody else ends it when the runner was killed. */
let jestPid = 0;

process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('SIGHUP', () => undefined);
// The runner may be gone while something is still being written to it.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

const folder = await mkdtemp(join(tmpdir(), 'message-dispatcher-test-'));
// Root's PostgreSQL runs as another user, who must get through.
await chmod(folder, 0o755);
const starting = Promise.allSettled([startPostgres(), startRedis(), startEtcd()]);
process.stdin.setEncoding('utf8').on('data', (text) => (jestPid = Number(text)));
process.stdin.on('close', () => {
  void starting.then(stopAll);
});

const { pgbouncer } = findServiceBinaries();
/** @type {Record<string, string>} */
const report = { ...(pgbouncer && { TEST_PGBOUNCER_BIN: pgbouncer }) };
for (const result of await starting) {
  if (result.status === 'fulfilled') Object.assign(report, result.value);
  else report.error ??= result.reason instanceof Error ? result.reason.message : String(result.reason);
}
process.stdout.write(`${JSON.stringify(report)}\n`);

async function stopAll() {
  if (jestPid > 0) signalGroup(jestPid, 'SIGKILL');
  await Promise.allSettled(stops.map((stop) => stop()));
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  process.exit(0);
}

async function startPostgres() {
  const { binDir } = await findPostgresBinaries();
  if (process.env.TEST_DB_URL) return { TEST_POSTGRES_BIN: binDir };
  const postgres = await startEmbeddedPostgres({
    dataDir: join(folder, 'postgres'),
    log: () => undefined,
    // What is written here is thrown away; tests kill servers, not the machine.
    settings: { max_connections: '200', fsync: 'off' },
  });
  stops.push(() => postgres.stop());
  return { TEST_POSTGRES_BIN: binDir, TEST_DB_URL: postgres.url };
}

async function startRedis() {
  const { redis } = findServiceBinaries();
  if (process.env.TEST_REDIS_URL || !redis) return redis ? { TEST_REDIS_SERVER_BIN: redis } : {};
  const dir = join(folder, 'redis');
  await mkdir(dir);
  const port = await startOnFreePort('redis-server', redis, isRedisReady, async (free) =>
    `--port ${free} --bind 127.0.0.1 --dir ${dir} --appendonly no --daemonize no`.split(' ').concat('--save', ''),
  );
  return { TEST_REDIS_SERVER_BIN: redis, TEST_REDIS_URL: `redis://127.0.0.1:${port}` };
}

async function startEtcd() {
  const { etcd } = findServiceBinaries();
  if (process.env.TEST_ETCD_URL || !etcd) return etcd ? { TEST_ETCD_BIN: etcd } : {};
  const dir = join(folder, 'etcd');
  const help = spawn(etcd, ['--help'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const knows = (await help.stdout.setEncoding('utf8').toArray()).join('');
  const port = await startOnFreePort('etcd', etcd, isEtcdReady, async (free) => {
    const peer = `http://127.0.0.1:${await freePort()}`;
    const client = `http://127.0.0.1:${free}`;
    const flags = `--name test --data-dir ${dir} --logger zap --log-level error
      --listen-client-urls ${client} --advertise-client-urls ${client}
      --listen-peer-urls ${peer} --initial-advertise-peer-urls ${peer} --initial-cluster test=${peer}`.split(/\s+/);
    return knows.includes('--unsafe-no-fsync') ? [...flags, '--unsafe-no-fsync'] : flags;
  });
  return { TEST_ETCD_BIN: etcd, TEST_ETCD_URL: `http://127.0.0.1:${port}` };
}

/**
 * Starts a program on a free port of 127.0.0.1 and resolves with that port once `isReady`. Somebody else may take the port
 * just before the program does; then it is tried on another one.
 * @param {string} name
 * @param {string} binary
 * @param {(port: number) => Promise<boolean>} isReady
 * @param {(port: number) => Promise<string[]>} argsFor
 */
async function startOnFreePort(name, binary, isReady, argsFor) {
  let said = '';
  for (let tries = 0; tries < PORT_TRIES; tries += 1) {
    const port = await freePort();
    const child = spawn(binary, await argsFor(port), {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: plainEnv(),
    });
    await once(child, 'spawn');
    stops.push(() => stopChild(child));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (said = (said + text).slice(-2048)));
    }
    const deadline = Date.now() + READY_MS;
    while (child.exitCode === null && child.signalCode === null) {
      if (await isReady(port)) return port;
      if (Date.now() > deadline) throw new Error(`${binary} was not ready after ${READY_MS / 1000} s: ${said.trim()}`);
      await sleep(20);
    }
  }
  throw new Error(`${name} (${binary}) did not start: ${said.trim()}`);
}

/** etcd takes every ETCD_* variable for a flag; and refuses some processors until told that it is meant. */
function plainEnv() {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD_')));
  return process.arch === 'x64' ? env : { ...env, ETCD_UNSUPPORTED_ARCH: process.arch };
}

/** @param {number} port */
async function isRedisReady(port) {
  const socket = connect(port, '127.0.0.1');
  try {
    socket.write('PING\r\n');
    const answer = await once(socket, 'data', { signal: AbortSignal.timeout(1_000) });
    return answer.join('').startsWith('+PONG');
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** @param {number} port */
async function isEtcdReady(port) {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(1_000) });
    return /"health":\s*"true"/.test(await response.text());
  } catch {
    return false;
  }
}

/** @param {import('node:child_process').ChildProcess} child */
async function stopChild(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await closed;
  clearTimeout(force);
}
