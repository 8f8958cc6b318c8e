import { join } from 'node:path';
import { onPath } from '../../test/support/service-binaries.js';
import { freePort } from './built.js';
import { eventually } from './eventually.js';
import { endChild } from './stage.js';

/** @typedef {import('./stage.js').Stage} Stage */

/** A real etcd on a free port, with fsync, that can be killed and started again on its data. */
export class Etcd {
  /** @type {import('node:child_process').ChildProcess | null} */
  #child = null;

  /**
   * @param {Stage} stage
   * @param {string} binary
   * @param {string} folder
   * @param {number} port
   * @param {number} peerPort
   */
  constructor(stage, binary, folder, port, peerPort) {
    this.stage = stage;
    this.binary = binary;
    this.folder = folder;
    this.port = port;
    this.peerPort = peerPort;
  }

  get endpoint() {
    return `127.0.0.1:${this.port}`;
  }

  /** @param {Stage} stage */
  static async start(stage) {
    const binary = process.env.TEST_ETCD_BIN ?? onPath('etcd');
    if (binary === undefined) {
      throw new Error('etcd is not on the PATH: install it (apt-get install etcd-server), or name it in TEST_ETCD_BIN');
    }
    const etcd = new Etcd(stage, binary, await stage.folderFor('etcd'), await freePort(), await freePort());
    await etcd.resume();
    return etcd;
  }

  /** Starts it and resolves as soon as it answers. */
  async resume() {
    const client = `http://${this.endpoint}`;
    const peer = `http://127.0.0.1:${this.peerPort}`;
    const args =
      `--name bench --logger zap --log-level error --listen-client-urls ${client} --advertise-client-urls ${client}
      --listen-peer-urls ${peer} --initial-advertise-peer-urls ${peer} --initial-cluster bench=${peer}`.split(/\s+/);
    // etcd takes every ETCD_* variable for a flag.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD_')));
    this.#child = await this.stage.spawn(this.binary, [...args, '--data-dir', join(this.folder, 'data')], {
      cwd: this.folder,
      stdio: 'ignore',
      env,
    });
    await eventually('etcd answers', async () => {
      const response = await fetch(`${client}/health`, { signal: AbortSignal.timeout(1_000) });
      return /"health":\s*"true"/.test(await response.text()) || null;
    });
  }

  async kill() {
    if (this.#child) await endChild(this.#child, 'SIGKILL');
  }

  /**
   * Through etcd's own JSON gateway: nothing of the client that the service uses takes part.
   * @param {string} key
   * @param {string} value
   */
  async put(key, value) {
    const response = await fetch(`http://${this.endpoint}/v3/kv/put`, {
      method: 'POST',
      body: JSON.stringify({ key: base64(key), value: base64(value) }),
    });
    if (!response.ok) throw new Error(`put ${key}: ${response.status} ${await response.text()}`);
    await response.arrayBuffer();
  }
}

/** @param {string} text */
const base64 = (text) => Buffer.from(text).toString('base64');
