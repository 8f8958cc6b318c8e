import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onPath } from '../../test/support/service-binaries.js';
import { freePort } from './built.js';
import { eventually } from './eventually.js';

/** @typedef {import('./stage.js').Stage} Stage */

const MARK = 'mark-';

/**
 * A receiver in a process of its own that answers `202` with a fresh id and writes down every request: a line with the
 * seconds since 1970 (to the millisecond) and the Idempotency-Key. It keeps up with anything here: nginx where there is
 * one, else a plain one of our own. With a delay it is always our own.
 */
export class Receiver {
  /**
   * @param {string} name
   * @param {number} port
   * @param {string} ledger
   */
  constructor(name, port, ledger) {
    this.name = name;
    this.url = `http://127.0.0.1:${port}/messages`;
    this.ledger = ledger;
  }

  /**
   * @param {Stage} stage
   * @param {{ delayMs?: number, plain?: boolean }} [options]
   */
  static async start(stage, { delayMs = 0, plain = false } = {}) {
    const folder = await stage.folderFor('receiver');
    const nginx = delayMs > 0 || plain ? undefined : onPath('nginx');
    const port = await freePort();
    const ledger = join(folder, 'ledger.log');
    await writeFile(ledger, '');
    if (nginx === undefined) await startPlain(stage, port, ledger, delayMs);
    else await startNginx(stage, nginx, folder, port, ledger);
    const name = nginx === undefined ? `plain node:net${delayMs > 0 ? `, ${delayMs} ms late` : ''}` : 'nginx';
    const receiver = new Receiver(name, port, ledger);
    await eventually('the receiver answers', async () => (await fetch(receiver.url, { method: 'POST' })).ok || null);
    return receiver;
  }

  /** Forgets what arrived so far. */
  async forget() {
    await this.#written();
    await truncate(this.ledger, 0);
  }

  /**
   * What arrived since `forget`, in its order: the time in milliseconds since 1970, and the key.
   * @returns {Promise<{ at: number, key: string }[]>}
   */
  async arrivals() {
    await this.#written();
    const arrivals = [];
    for await (const line of createInterface({ input: createReadStream(this.ledger) })) {
      const [at, key] = line.split(' ');
      if (key && key !== '-' && !key.startsWith(MARK)) arrivals.push({ at: Number(at) * 1_000, key });
    }
    return arrivals;
  }

  /**
   * Checks that exactly `expected` requests arrived since `forget`, each key once; tells the seconds from first to last.
   * @param {number} expected
   * @throws when that does not hold
   */
  async account(expected) {
    const arrivals = await this.arrivals();
    const keys = new Set(arrivals.map(({ key }) => key));
    if (arrivals.length !== expected || keys.size !== expected) {
      throw new Error(
        `of ${expected} messages ${keys.size} arrived, in ${arrivals.length} requests: the run does not count`,
      );
    }
    return { spanSeconds: ((arrivals.at(-1)?.at ?? 0) - (arrivals[0]?.at ?? 0)) / 1_000 };
  }

  /** Resolves when a marked request of our own stands at the ledger's end: everything before it then stands there, too. */
  async #written() {
    const mark = `${MARK}${randomUUID()}`;
    await fetch(this.url, { method: 'POST', headers: { 'idempotency-key': mark } });
    await eventually('the ledger is written', async () => (await tailOf(this.ledger)).includes(mark) || null);
  }
}

/** @param {string} path */
async function tailOf(path) {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const length = Math.min(size, 4096);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('latin1');
  } finally {
    await file.close();
  }
}

/**
 * @param {Stage} stage
 * @param {number} port
 * @param {string} ledger
 * @param {number} delayMs
 */
async function startPlain(stage, port, ledger, delayMs) {
  const program = fileURLToPath(new URL('plain-receiver.js', import.meta.url));
  const child = await stage.spawn(process.execPath, [program, String(port), ledger, String(delayMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout) await once(child.stdout, 'data');
}

/**
 * @param {Stage} stage
 * @param {string} nginx
 * @param {string} folder
 * @param {number} port
 * @param {string} ledger
 */
async function startNginx(stage, nginx, folder, port, ledger) {
  const spool = join(folder, 'spool');
  await mkdir(spool);
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${spool}/${kind};`,
  );
  const config = `
    worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log stderr warn;
    events { worker_connections 4096; }
    http {
      ${paths.join(' ')}
      log_format ledger '$msec $http_idempotency_key';
      access_log ${ledger} ledger buffer=256k flush=200ms;
      keepalive_requests 100000000; keepalive_timeout 300s;
      server {
        listen 127.0.0.1:${port} backlog=1024;
        location / {
          default_type application/json;
          return 202 '{"message":"Accepted","messageId":"$request_id"}';
        }
      }
    }`;
  await writeFile(join(folder, 'nginx.conf'), config);
  await stage.spawn(nginx, ['-c', join(folder, 'nginx.conf'), '-p', folder], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
