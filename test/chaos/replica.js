import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, cpSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';

/** A replica that does not end by itself after SIGTERM is killed after this; it promises 15 s. */
const END_MS = 20_000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One place of the fleet: whichever process runs there now, and the logs of all that did. */
export class Replica {
  /**
   * @param {number} index
   * @param {{ build: string, folder: string, databaseUrl: string, redisAddress: string, live: Record<string, unknown>,
   *   env?: Record<string, string> }} parts `env`: beside and before what every replica gets
   */
  constructor(index, parts) {
    this.index = index;
    this.parts = parts;
    /** @type {string[]} */
    this.logs = [];
    /** @type {string[]} */
    this.endedByItself = [];
    this.stalled = false;
    this.killing = false;
    /** @type {import('node:child_process').ChildProcess | null} */
    this.child = null;
    /** @type {import('node:child_process').ChildProcess | null} the one that is known to listen */
    this.heard = null;
    this.config = join(parts.folder, `config-${index}`);
    mkdirSync(this.config, { recursive: true });
    cpSync(join(parts.build, 'config'), this.config, { recursive: true });
    writeFileSync(join(this.config, 'dynamic_config.yaml'), stringify(parts.live));
  }

  get pid() {
    return this.child?.pid ?? 0;
  }

  get alive() {
    return this.child !== null;
  }

  /** Whether the process that runs now has come as far as taking HTTP requests. */
  get listening() {
    if (this.child !== null && this.heard !== this.child && this.hasSaid('Listening on')) this.heard = this.child;
    return this.child !== null && this.heard === this.child;
  }

  start() {
    const log = join(this.parts.folder, `replica-${this.index}-${this.logs.length}.log`);
    this.logs.push(log);
    const file = this.openOutput(log);
    const child = spawn(process.execPath, [join(this.parts.build, 'dist/src/main.js')], {
      cwd: this.parts.build,
      stdio: ['ignore', file, file],
      env: {
        PATH: process.env.PATH,
        APP_ENV: 'dev',
        LOG_ENV: 'production',
        LOG_LEVEL: 'info',
        APP_PORT: '127.0.0.1:0',
        APP_CONFIG_DIR: this.config,
        APP_WEBHOOK_ALLOW: '127.0.0.1',
        APP_DB_URL: this.parts.databaseUrl,
        APP_REDIS_ADDR: this.parts.redisAddress,
        ...this.parts.env,
      },
    });
    closeSync(file);
    running.add(child);
    this.child = child;
    this.stalled = false;
    this.killing = false;
    child.once('exit', (code) => {
      running.delete(child);
      const wasStarted = this.hasStarted(child);
      this.child = null;
      if (this.killing) return;
      // One that finds the database gone while it is still starting gives up, and is started again like any other.
      if (wasStarted) this.endedByItself.push(`replica ${this.index} ended with ${code}, see ${log}`);
      setTimeout(() => !this.killing && !this.alive && this.start(), 500);
    });
  }

  /**
   * Where the process that starts next writes to.
   * @param {string} log
   * @returns {number} a descriptor
   */
  openOutput(log) {
    return openSync(log, 'w');
  }

  async kill() {
    await this.end('SIGKILL');
  }

  /** As an operator does at the end. */
  async stop() {
    const force = setTimeout(() => this.child?.kill('SIGKILL'), END_MS);
    await this.end('SIGTERM');
    clearTimeout(force);
  }

  stall() {
    this.stalled = true;
    this.child?.kill('SIGSTOP');
  }

  wake() {
    this.stalled = false;
    this.child?.kill('SIGCONT');
  }

  /** @param {NodeJS.Signals} signal */
  async end(signal) {
    this.killing = true;
    const { child } = this;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /**
   * Whether a process that has ended had come so far that nothing but an operator may have ended it.
   * @param {import('node:child_process').ChildProcess} _child
   */
  hasStarted(_child) {
    return this.hasSaid('Listening on');
  }

  /** @param {string} text */
  hasSaid(text) {
    const log = this.logs.at(-1);
    return log !== undefined && readFileSync(log, 'utf8').includes(text);
  }
}
