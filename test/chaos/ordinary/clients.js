import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { Random } from '../random.js';

/** Calls at once at each replica. */
const AT_ONCE = 3;
const ANSWER_MS = 30_000;
const IMPORT_ROWS = 3;
/** One call in so many stores something, so that the good messages stay far below the pace. */
const STORES_ONE_IN = 40;
const NOBODY_MS = 200;

/** @typedef {{ method?: string, headers?: Record<string, string>, body?: string }} Init */

const listed = z.array(z.object({ id: z.number() }));

/** People and programs that use the API without pause, as fast as it lets them. */
export class Clients {
  /** @type {Record<string, number>} */
  calls = {};
  over = false;
  /** @type {Promise<void>[]} */
  working = [];
  lastId = 1;

  /**
   * @param {readonly import('./replica.js').OrdinaryReplica[]} replicas
   * @param {import('./stock.js').Stock} stock
   * @param {{ seed: number, apiRate: number }} pace
   */
  constructor(replicas, stock, { seed, apiRate }) {
    this.stock = stock;
    this.eachMs = (60_000 * AT_ONCE) / apiRate;
    this.working = replicas.flatMap((replica) =>
      Array.from({ length: AT_ONCE }, (_, index) => this.work(replica, new Random(seed + 31 * replica.index + index))),
    );
  }

  async end() {
    this.over = true;
    await Promise.all(this.working);
  }

  /**
   * @param {import('./replica.js').OrdinaryReplica} replica
   * @param {import('../random.js').Random} random
   */
  async work(replica, random) {
    while (!this.over) {
      if (!replica.listening || replica.stalled) {
        await sleep(NOBODY_MS);
        continue;
      }
      const since = performance.now();
      await this.callOnce(replica, random);
      await sleep(Math.max(0, this.eachMs - (performance.now() - since)));
    }
  }

  /**
   * @param {import('./replica.js').OrdinaryReplica} replica
   * @param {import('../random.js').Random} random
   */
  async callOnce(replica, random) {
    const stores = random.next() < 1 / STORES_ONE_IN;
    const rows = stores ? this.stock.reserve(IMPORT_ROWS) : [];
    const [path, init] = stores ? importOf(rows) : this.readingCall(random);
    try {
      const reply = await replica.call(path, 'client', init, ANSWER_MS);
      /** @type {unknown} */
      const body = await reply.json().catch(() => null);
      this.count(`${reply.status} ${path.split('?')[0]?.replace(/\d+/, ':id') ?? ''}`);
      if (stores && reply.ok) this.stock.known(rows, 'good');
      const messages = listed.safeParse(body);
      this.lastId = (messages.success && messages.data.at(-1)?.id) || this.lastId;
      if (reply.status === 429) await sleep(1_000 * Number(reply.headers.get('retry-after') ?? 1));
    } catch {
      this.count('0');
      await sleep(NOBODY_MS);
    }
  }

  /**
   * @param {import('../random.js').Random} random
   * @returns {[string, Init]}
   */
  readingCall(random) {
    const state = random.pick(['waiting', 'sending', 'sent', 'failed', 'uncertain', 'cancelled']);
    const body = JSON.stringify({ state: 'failed', reason_contains: 'no such text', dry_run: true });
    return random.weigh(
      /** @type {const} */ ([
        [40, [`/messages?state=${state}&limit=50`, {}]],
        [15, [`/messages?state=${state}&limit=50&after=${this.lastId}`, {}]],
        [15, ['/sent?limit=1000', {}]],
        [10, [`/messages/${this.lastId}`, {}]],
        [5, ['/messages/replay', { method: 'POST', headers: { 'content-type': 'application/json' }, body }]],
        [5, ['/scheduler', {}]],
        [5, ['/config', {}]],
        [5, ['/operator-actions', {}]],
      ]),
    );
  }

  /** @param {string} what */
  count(what) {
    this.calls[what] = (this.calls[what] ?? 0) + 1;
  }
}

/**
 * @param {readonly import('./types.js').Fed[]} rows
 * @returns {[string, Init]}
 */
function importOf(rows) {
  const lines = rows.map(({ n }) => `+9055${String(n).padStart(8, '0')},Insider - good ${n}`);
  const body = ['recipient_phone,content', ...lines, ''].join('\n');
  return ['/messages/import', { method: 'POST', headers: { 'content-type': 'text/csv' }, body }];
}
