// node test/support/run.js [jest arguments]: all tests against a real PostgreSQL, Redis and etcd.
// TEST_DB_URL, TEST_REDIS_URL and TEST_ETCD_URL name servers to use as they are; whatever is not named is started for this run
// on a free port of 127.0.0.1 and is always stopped again. Exits with the code of jest.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { canInstall, findServiceBinaries, howToInstall, install } from './service-binaries.js';
import { signalGroup } from './signal-group.js';

/** What jest gets to end by itself after a signal. */
const JEST_STOP_MS = 5_000;

const interrupted = new AbortController();
/** @type {import('node:child_process').ChildProcess | undefined} */
let jest;
/** @type {NodeJS.Signals | undefined} */
let received;

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => {
    received ??= signal;
    interrupted.abort();
    signalJest(signal);
    setTimeout(() => signalJest('SIGKILL'), JEST_STOP_MS).unref();
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!received) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
if (received) process.exitCode = 128 + constants.signals[received];

async function main() {
  await needServices();
  const services = spawn(process.execPath, [fileURLToPath(new URL('services.js', import.meta.url))], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(services, 'close');
  try {
    const env = await firstLine(services);
    if (typeof env.error === 'string') throw new Error(`The services of the tests could not be started. ${env.error}`);
    if (interrupted.signal.aborted) return 1;
    const jestBin = createRequire(import.meta.url).resolve('jest/bin/jest');
    jest = spawn(process.execPath, [jestBin, ...process.argv.slice(2)], {
      // A process group of its own: jest, its workers and what the tests started can then be ended together.
      detached: true,
      stdio: 'inherit',
      env: { ...process.env, TEST_CHROMIUM_BIN: findServiceBinaries().chromium, ...env },
    });
    services.stdin.write(`${jest.pid}\n`);
    await once(jest, 'exit');
    signalJest('SIGKILL');
    return jest.exitCode ?? 1;
  } finally {
    services.stdin.end();
    await ended;
  }
}

/** @param {NodeJS.Signals} signal */
function signalJest(signal) {
  if (jest?.pid !== undefined) signalGroup(jest.pid, signal);
}

async function needServices() {
  if (!existsSync(new URL('../../dist/src/local/embedded-postgres.js', import.meta.url))) {
    throw new Error('The tests use the build: run `npm run build` first, or `npm test`, which does both.');
  }
  const found = findServiceBinaries();
  /** @type {import('./service-binaries.js').ServiceName[]} */
  const missing = [];
  if (!process.env.TEST_REDIS_URL && !found.redis) missing.push('redis');
  if (!process.env.TEST_ETCD_URL && !found.etcd) missing.push('etcd');
  if (!found.pgbouncer) missing.push('pgbouncer');
  if (!found.chromium) missing.push('chromium');
  if (missing.length === 0) return;
  if (!canInstall()) throw new Error(howToInstall(missing));
  process.stderr.write(`The tests need ${missing.join(', ')}: installing the Debian packages with apt-get …\n`);
  await install(missing, interrupted.signal);
}

/**
 * @param {import('node:child_process').ChildProcessByStdio<import('node:stream').Writable, import('node:stream').Readable, null>} services
 * @returns {Promise<Record<string, string>>}
 */
async function firstLine(services) {
  for await (const line of createInterface({ input: services.stdout }))
    return z.record(z.string(), z.string()).parse(JSON.parse(line));
  throw new Error('The services of the tests ended before they were ready.');
}
