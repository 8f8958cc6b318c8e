import { existsSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { onPath } from '../../test/support/service-binaries.js';
import { versionOf } from './machine.js';
import { Postgres } from './postgres.js';
import { Receiver } from './receiver.js';
import { startRedis } from './redis.js';

/** @typedef {import('./stage.js').Stage} Stage */

const HERE = fileURLToPath(new URL('../', import.meta.url));

/** Installs the packages of the benchmarks, the peers among them, where that was not done yet. */
export async function ensureInstalled() {
  if (existsSync(`${HERE}node_modules/graphile-worker`)) return;
  process.stderr.write('installing the packages of bench/ …\n');
  await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund'], { cwd: HERE });
}

/** The services that all contenders share. Redis writes its append-only file, as BullMQ's documentation asks. @param {Stage} stage */
export async function openArena(stage) {
  return {
    receiver: await Receiver.start(stage),
    redis: await startRedis(stage, { durable: true }),
    server: await Postgres.start(stage),
  };
}

/** @param {import('./postgres.js').Postgres} server */
export async function serviceVersions(server) {
  const database = await server.database();
  const { server_version: postgres } = await database.row('SHOW server_version');
  await database.drop();
  const redis = /v=(\S+)/.exec(await versionOf('redis-server', ['--version']))?.[1] ?? 'unknown';
  return { postgres: `${String(postgres)}, fsync on`, redis: `Redis ${redis}, append-only file on` };
}

/**
 * Requests per second that a receiver answers to a client that does nothing else, at `connections` at once.
 * @param {Receiver} receiver
 * @param {number} connections
 */
export async function receiverLimit(receiver, connections) {
  const wrk = onPath('wrk');
  if (wrk !== undefined) {
    const { stdout } = await promisify(execFile)(wrk, ['-t1', `-c${connections}`, '-d5s', receiver.url]);
    return { tool: 'wrk', perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]) };
  }
  const { default: autocannon } = await import('autocannon');
  const { requests } = await autocannon({ url: receiver.url, method: 'POST', connections, duration: 5 });
  return { tool: 'autocannon', perSecond: requests.average };
}
