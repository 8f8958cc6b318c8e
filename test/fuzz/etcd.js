import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../support/built-local.js';
import { findServiceBinaries, howToInstall } from '../support/service-binaries.js';

const READY_MS = 20_000;

/**
 * An etcd of the run's own.
 * @param {string} folder
 */
export async function startEtcd(folder) {
  const { etcd } = findServiceBinaries();
  if (etcd === undefined) throw new Error(howToInstall(['etcd']));
  const client = `http://127.0.0.1:${await freePort()}`;
  const peer = `http://127.0.0.1:${await freePort()}`;
  const flags = `--name fuzz --data-dir ${folder} --logger zap --log-level error
    --listen-client-urls ${client} --advertise-client-urls ${client}
    --listen-peer-urls ${peer} --initial-advertise-peer-urls ${peer} --initial-cluster fuzz=${peer}`;
  const env = { PATH: process.env.PATH, ...(process.arch !== 'x64' && { ETCD_UNSUPPORTED_ARCH: process.arch }) };
  const child = spawn(etcd, flags.split(/\s+/), { stdio: 'ignore', env });
  process.once('exit', () => child.kill('SIGKILL'));
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const health = await fetch(`${client}/health`).catch(() => null);
    if (health?.ok === true) return { endpoint: new URL(client).host, stop: () => void child.kill('SIGKILL') };
    if (Date.now() > deadline || child.exitCode !== null) throw new Error(`${etcd} did not start`);
    await sleep(50);
  }
}
