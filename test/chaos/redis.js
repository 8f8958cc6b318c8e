import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Redis as Client } from 'ioredis';
import { freePort } from '../support/built-local.js';
import { findServiceBinaries, howToInstall } from '../support/service-binaries.js';

/** A Redis of the campaign's own, which keeps nothing on disk: stopping it loses all that it held. */
export class Redis {
  /**
   * @param {string} binary
   * @param {number} port
   * @param {string} folder
   */
  constructor(binary, port, folder) {
    this.port = port;
    this.args = `--port ${port} --bind 127.0.0.1 --dir ${folder} --appendonly no --daemonize no --save`
      .split(' ')
      .concat('');
    this.binary = binary;
    /** @type {import('node:child_process').ChildProcess | null} */
    this.child = null;
  }

  /** @param {string} folder */
  static async start(folder) {
    const { redis } = findServiceBinaries();
    if (redis === undefined) throw new Error(howToInstall(['redis']));
    const server = new Redis(redis, await freePort(), folder);
    await server.startAgain();
    return server;
  }

  get address() {
    return `127.0.0.1:${this.port}`;
  }

  async startAgain() {
    this.child = spawn(this.binary, this.args, { stdio: 'ignore' });
    await once(this.child, 'spawn');
    await this.command((client) => client.ping());
  }

  async flush() {
    await this.command((client) => client.flushall());
  }

  /** @param {NodeJS.Signals} signal */
  async stop(signal) {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** @param {(client: Client) => Promise<unknown>} run */
  async command(run) {
    const client = new Client(this.port, '127.0.0.1', { retryStrategy: () => 50, maxRetriesPerRequest: 200 });
    client.on('error', () => undefined);
    try {
      await run(client);
    } finally {
      client.disconnect();
    }
  }
}
