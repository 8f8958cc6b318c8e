import { once } from 'node:events';
import { cp, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { MAIN, ROOT } from './built.js';
import { eventually } from './eventually.js';
import { endChild } from './stage.js';

/** @typedef {import('./stage.js').Stage} Stage */
/** @typedef {Readonly<Record<string, unknown>>} Live */

/**
 * @typedef {object} ProductOptions
 * @property {Readonly<Record<string, string>>} [env] over the usual: APP_ENV dev, LOG_ENV production, LOG_LEVEL info
 * @property {Live} [live] what dynamic_config.yaml holds
 * @property {readonly string[]} [nodeArgs]
 */

/** The service as it is shipped: the build, in a process of its own, with a configuration folder of its own. */
export class Product {
  /** @type {string[]} */
  lines = [];
  /** @type {string | null} */
  #origin = null;
  /** @type {Map<string, (at: number) => void>} */
  #waiting = new Map();

  /**
   * @param {import('node:child_process').ChildProcess} child
   * @param {string} configDir
   */
  constructor(child, configDir) {
    this.child = child;
    this.configDir = configDir;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#take(line));
    }
  }

  /**
   * Starts it and waits until it listens.
   * @param {Stage} stage
   * @param {ProductOptions} options
   */
  static async start(stage, options = {}) {
    const product = await Product.launch(stage, options);
    await product.listening();
    return product;
  }

  /**
   * Starts it and does not wait.
   * @param {Stage} stage
   * @param {ProductOptions} options
   */
  static async launch(stage, { env = {}, live, nodeArgs = [] } = {}) {
    const folder = await stage.folderFor('product');
    const configDir = join(folder, 'config');
    await cp(join(ROOT, 'config'), configDir, { recursive: true });
    if (live) await writeFile(join(configDir, 'dynamic_config.yaml'), stringify(live));
    const child = await stage.spawn(process.execPath, [...nodeArgs, MAIN], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        APP_ENV: 'dev',
        APP_PORT: '127.0.0.1:0',
        APP_CONFIG_DIR: configDir,
        APP_WEBHOOK_ALLOW: '127.0.0.0/8,::1',
        LOG_ENV: 'production',
        LOG_LEVEL: 'info',
        ...env,
      },
    });
    return new Product(child, configDir);
  }

  /**
   * Resolves when it prints a line that holds `text`, with `performance.now()` of that instant.
   * @param {string} text
   * @param {number} [withinMs]
   * @returns {Promise<number>}
   */
  async printed(text, withinMs = 10_000) {
    return await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`nothing printed with ${text}`)), withinMs);
      this.#waiting.set(text, (at) => {
        clearTimeout(late);
        resolve(at);
      });
    });
  }

  /** Where it listens; null before it does. */
  get origin() {
    if (this.#origin !== null) return this.#origin;
    for (const line of this.lines) {
      const found = /Listening on (https?:\/\/[^\s"]+)/.exec(line)?.[1];
      if (found) return (this.#origin = found.replace('localhost', '127.0.0.1'));
    }
    return null;
  }

  async listening() {
    try {
      const gone = this.ended().then(() => Promise.reject(new Error('it ended')));
      await Promise.race([gone, eventually('the service listens', () => this.origin, { everyMs: 1 })]);
    } catch (error) {
      throw new Error(
        `the service does not listen (exit code ${this.child.exitCode}):\n${this.lines.slice(-20).join('\n')}`,
        {
          cause: error,
        },
      );
    }
  }

  /** @param {string} path */
  async get(path) {
    return await this.#request('GET', path);
  }

  /**
   * @param {string} path
   * @param {unknown} [body]
   */
  async post(path, body) {
    return await this.#request('POST', path, body);
  }

  /** Replaces the watched file, as an editor does. @param {Live} live */
  async setLive(live) {
    const path = join(this.configDir, 'dynamic_config.yaml');
    await writeFile(`${path}.new`, stringify(live));
    await rename(`${path}.new`, path);
  }

  /** Processor time that it has used so far, in milliseconds, user and system. */
  async cpuMs() {
    const stat = await readFile(`/proc/${this.child.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // USER_HZ is 100 on every Linux that Node supports.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  /** Resident memory now, and the most it ever was, in MB of 2^20 bytes. */
  async memoryMb() {
    const status = await readFile(`/proc/${this.child.pid}/status`, 'utf8');
    const kb = (/** @type {string} */ name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]);
    return { now: kb('VmRSS') / 1024, peak: kb('VmHWM') / 1024 };
  }

  /** @param {NodeJS.Signals} [signal] */
  async end(signal) {
    return await endChild(this.child, signal);
  }

  async ended() {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
  }

  /** @param {string} line */
  #take(line) {
    this.lines.push(line);
    for (const [text, tell] of this.#waiting) {
      if (!line.includes(text)) continue;
      this.#waiting.delete(text);
      tell(performance.now());
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   */
  async #request(method, path, body) {
    const json =
      body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(`${this.origin}${path}`, { method, ...json });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 300)}`);
    return /** @type {unknown} */ (JSON.parse(text));
  }
}
