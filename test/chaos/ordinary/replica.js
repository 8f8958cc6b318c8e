import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Replica } from '../replica.js';
import { bearer } from './keys.js';

const ANSWER_MS = 1_500;
/** Somebody else's connection may use the port at that instant: no fault of the replica. */
const PORT_IS_TAKEN = 'EADDRINUSE';

/** @type {Set<import('node:child_process').ChildProcess>} */
const readers = new Set();
process.once('exit', () => {
  for (const reader of readers) reader.kill('SIGKILL');
});

/** A replica whose output goes through a pipe with a reader, which may stall, or to a full disk. */
export class OrdinaryReplica extends Replica {
  /**
   * @param {number} index
   * @param {ConstructorParameters<typeof Replica>[1]} parts
   * @param {number} port
   */
  constructor(index, parts, port) {
    super(index, { ...parts, env: { ...parts.env, APP_PORT: `127.0.0.1:${port}` } });
    this.port = port;
    this.diskIsFull = false;
    /** @type {import('node:child_process').ChildProcess | null} */
    this.reader = null;
    /** @type {string} */
    this.goodYaml = readFileSync(this.yaml, 'utf8');
  }

  get yaml() {
    return join(this.config, 'dynamic_config.yaml');
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** @override @returns {boolean} */
  get listening() {
    return this.child !== null && this.heard === this.child;
  }

  /**
   * @override
   * @param {string} log
   */
  openOutput(log) {
    this.reader = null;
    if (this.diskIsFull) {
      writeFileSync(log, '');
      return openSync('/dev/full', 'w');
    }
    const pipe = `${log}.pipe`;
    if (existsSync(pipe)) rmSync(pipe);
    execFileSync('mkfifo', [pipe]);
    // Held open for both, so that opening waits for nobody; the replica's own end goes with it.
    const file = openSync(pipe, 'r+');
    const kept = openSync(log, 'w');
    const reader = spawn('cat', [pipe], { stdio: ['ignore', kept, 'ignore'] });
    closeSync(kept);
    readers.add(reader);
    reader.once('exit', () => readers.delete(reader));
    this.reader = reader;
    return file;
  }

  /** @override */
  hasStarted() {
    return !this.hasSaid(PORT_IS_TAKEN);
  }

  /**
   * Stops the reader of the output; resolves with what lets it read again.
   */
  stallOutput() {
    const { reader } = this;
    reader?.kill('SIGSTOP');
    return () => void reader?.kill('SIGCONT');
  }

  /** Notes whether the process that runs now answers. */
  async look() {
    const { child } = this;
    if (child === null || this.stalled || this.listening) return;
    const reply = await this.call('/health').catch(() => null);
    if (reply?.status === 200) this.heard = child;
  }

  /**
   * @param {string} path
   * @param {import('./keys.js').Caller} caller
   * @param {{ method?: string, headers?: Record<string, string>, body?: string }} init
   * @param {number} withinMs
   */
  async call(path, caller = 'probe', init = {}, withinMs = ANSWER_MS) {
    const headers = { ...init.headers, ...bearer(caller) };
    return await fetch(`${this.url}${path}`, { ...init, headers, signal: AbortSignal.timeout(withinMs) });
  }
}
