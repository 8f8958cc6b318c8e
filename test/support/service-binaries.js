import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const DEBIAN = { redis: 'redis-server', etcd: 'etcd-server', pgbouncer: 'pgbouncer', chromium: 'chromium' };
const BREW = { redis: 'redis', etcd: 'etcd', pgbouncer: 'pgbouncer', chromium: '--cask chromium' };
/** Chromium is no service. */
const UNITS = { redis: ['redis-server'], etcd: ['etcd'], pgbouncer: ['pgbouncer'], chromium: [] };

/** @typedef {{ redis?: string, etcd?: string, pgbouncer?: string, chromium?: string }} ServiceBinaries */
/** @typedef {keyof typeof DEBIAN} ServiceName */

/**
 * The paths of redis-server (which is Sentinel as well), etcd, pgbouncer and Chromium, from TEST_REDIS_SERVER_BIN,
 * TEST_ETCD_BIN, TEST_PGBOUNCER_BIN and TEST_CHROMIUM_BIN or else the PATH.
 * @returns {ServiceBinaries}
 */
export function findServiceBinaries() {
  const redis = process.env.TEST_REDIS_SERVER_BIN ?? onPath('redis-server');
  const etcd = process.env.TEST_ETCD_BIN ?? onPath('etcd');
  const pgbouncer = process.env.TEST_PGBOUNCER_BIN ?? onPath('pgbouncer', ['/usr/sbin']);
  const chromium = process.env.TEST_CHROMIUM_BIN ?? onPath('chromium');
  return {
    ...(redis && { redis }),
    ...(etcd && { etcd }),
    ...(pgbouncer && { pgbouncer }),
    ...(chromium && { chromium }),
  };
}

/**
 * The path of a program on the PATH.
 * @param {string} name
 * @param {readonly string[]} others folders to look into besides the PATH, which is shorter for some users
 */
export function onPath(name, others = []) {
  return [...(process.env.PATH ?? '').split(delimiter), ...others]
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Whether the packages of this system can be installed without asking anybody: Debian or Ubuntu, as root. */
export function canInstall() {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version') && onPath('apt-get') !== undefined;
}

/**
 * Installs the Debian packages of the named services and leaves none of them running or starting at boot.
 * @param {readonly ServiceName[]} names
 * @param {AbortSignal} signal
 */
export async function install(names, signal) {
  const packages = names.map((name) => DEBIAN[name]);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...packages]]) {
    const child = spawn('apt-get', ['-q', ...args], { env, signal, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (said = (said + text).slice(-4096)));
    }
    await once(child, 'close');
    if (child.exitCode !== 0) throw new Error(`apt-get ${args.join(' ')} failed:\n${said.trim()}`);
  }
  if (!existsSync('/run/systemd/system')) return;
  const units = names.flatMap((name) => UNITS[name]);
  if (units.length === 0) return;
  await promisify(execFile)('systemctl', ['disable', '--now', ...units]).catch(() => undefined);
}

/**
 * What to type where the services cannot be installed unasked.
 * @param {readonly ServiceName[]} names
 */
export function howToInstall(names) {
  const variables = {
    redis: 'TEST_REDIS_URL=redis://127.0.0.1:6379',
    etcd: 'TEST_ETCD_URL=http://127.0.0.1:2379',
    pgbouncer: 'TEST_PGBOUNCER_BIN=/path/to/pgbouncer',
    chromium: 'TEST_CHROMIUM_BIN=/path/to/chromium-or-chrome',
  };
  const containers = names.filter((name) => name === 'redis' || name === 'etcd');
  return [
    `The tests need a real ${names.join(' and a real ')}, and the PATH has none. One of these brings it:`,
    `  Debian, Ubuntu:  sudo apt-get install -y ${names.map((name) => DEBIAN[name]).join(' ')}`,
    `  macOS:           brew install ${names.map((name) => BREW[name]).join(' ')}`,
    ...(containers.length > 0 ? [`  Docker:          docker compose up -d ${containers.join(' ')}`] : []),
    `  what there is:   ${names.map((name) => variables[name]).join(' ')} npm test`,
  ].join('\n');
}
