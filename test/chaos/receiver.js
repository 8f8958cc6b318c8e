// What comes from the ledger's file is what the other process wrote.
/* oxlint-disable typescript/no-unsafe-type-assertion */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** @typedef {{ port?: number, stats?: Stats, written?: string, seenAgain?: number }} Report */
/** @typedef {{ requests: number, messages: number, sending: readonly number[] }} Stats `sending`: the replicas with a request in flight */

/** The campaign's side of the receiver process. */
export class Receiver {
  /**
   * @param {import('node:child_process').ChildProcess} child
   * @param {number} port
   */
  constructor(child, port) {
    this.child = child;
    this.port = port;
  }

  /** @param {number} seed */
  static async start(seed) {
    const child = fork(fileURLToPath(new URL('receiver-process.js', import.meta.url)), [String(seed)]);
    const { port } = await nextReport(child, (report) => report.port !== undefined);
    if (port === undefined) throw new Error('the receiver told no port');
    return new Receiver(child, port);
  }

  /**
   * The address for one replica, by which the ledger knows who sent what.
   * @param {number} replica
   */
  urlFor(replica) {
    return `http://127.0.0.1:${this.port}/replica/${replica}`;
  }

  /** @returns {Promise<Stats>} */
  async stats() {
    this.child.send({ stats: true });
    const { stats } = await nextReport(this.child, (report) => report.stats !== undefined);
    return stats ?? { requests: 0, messages: 0, sending: [] };
  }

  /**
   * Resolves when a message that the replica has in flight now comes again from another one, or after `withinMs`.
   * @param {number} replica
   * @param {number} withinMs
   */
  async seenAgain(replica, withinMs) {
    this.child.send({ watch: replica });
    await Promise.race([
      nextReport(this.child, (report) => report.seenAgain === replica),
      new Promise((resolve) => setTimeout(resolve, withinMs)),
    ]);
    return () => void this.child.send({ unwatch: true });
  }

  /**
   * Everything that arrived, in the order of arrival.
   * @param {string} path where the ledger is written to
   * @returns {Promise<import('./types.js').Request[]>}
   */
  async ledger(path) {
    this.child.send({ ledger: path });
    await nextReport(this.child, (report) => report.written === path);
    const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');
    return lines.map((line) => /** @type {import('./types.js').Request} */ (JSON.parse(line)));
  }

  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {(report: Report) => boolean} isIt
 * @returns {Promise<Report>}
 */
async function nextReport(child, isIt) {
  return await new Promise((resolve, reject) => {
    const onExit = () => reject(new Error('the receiver ended'));
    const onMessage = (/** @type {Report} */ report) => {
      if (!isIt(report)) return;
      child.off('message', onMessage);
      child.off('exit', onExit);
      resolve(report);
    };
    child.on('message', onMessage);
    child.on('exit', onExit);
  });
}
