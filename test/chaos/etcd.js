import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../support/built-local.js';
import { findServiceBinaries, howToInstall } from '../support/service-binaries.js';

const READY_MS = 30_000;
const CALL_MS = 3_000;

/** An etcd of the campaign's own, which keeps its data when it is stopped. */
export class Etcd {
  /**
   * @param {string} binary
   * @param {string} url
   * @param {readonly string[]} args
   */
  constructor(binary, url, args) {
    this.binary = binary;
    this.url = url;
    this.args = args;
    /** @type {import('node:child_process').ChildProcess | null} */
    this.child = null;
  }

  /** @param {string} folder */
  static async start(folder) {
    const { etcd } = findServiceBinaries();
    if (etcd === undefined) throw new Error(howToInstall(['etcd']));
    const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
    const args = `--name one --data-dir ${folder}/data --log-level error
      --listen-client-urls ${client} --advertise-client-urls ${client}
      --listen-peer-urls ${peer} --initial-advertise-peer-urls ${peer} --initial-cluster one=${peer}`.split(/\s+/);
    const server = new Etcd(etcd, client, args);
    await server.startAgain();
    return server;
  }

  get address() {
    return new URL(this.url).host;
  }

  async startAgain() {
    // etcd takes every ETCD_* variable for an option.
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD_'));
    const unusual = process.arch === 'x64' ? {} : { ETCD_UNSUPPORTED_ARCH: process.arch };
    const env = { ...Object.fromEntries(inherited), ...unusual };
    this.child = spawn(this.binary, this.args, { stdio: 'ignore', env });
    await once(this.child, 'spawn');
    const deadline = Date.now() + READY_MS;
    while (!(await this.healthy())) {
      if (Date.now() > deadline) throw new Error(`${this.binary} was not ready after ${READY_MS / 1000} s`);
      await sleep(50);
    }
  }

  async stop() {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /**
   * @param {string} key below /app/config
   * @param {string} value
   */
  async put(key, value) {
    await this.call('kv/put', { key: base64(`/app/config/${key}`), value: base64(value) });
  }

  async healthy() {
    try {
      const reply = await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(CALL_MS) });
      return (await reply.text()).includes('true');
    } catch {
      return false;
    }
  }

  /**
   * @param {string} path
   * @param {unknown} body
   */
  async call(path, body) {
    const signal = AbortSignal.timeout(CALL_MS);
    const reply = await fetch(`${this.url}/v3/${path}`, { method: 'POST', body: JSON.stringify(body), signal });
    if (!reply.ok) throw new Error(`etcd answered ${path} with ${reply.status}: ${await reply.text()}`);
    await reply.text();
  }
}

/** @param {string} text */
function base64(text) {
  return Buffer.from(text).toString('base64');
}
