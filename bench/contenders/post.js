import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';

const CHUNK = 5_000;

/** As many sockets as the product opens with its settings as shipped. */
export const SOCKETS = 64;

/** @typedef {{ id: number, to: string, content: string }} Message */

/** The same message as the product finds in its table. @param {number} id @returns {Message} */
export function messageOf(id) {
  return { id, to: `+90555${String(id % 10_000_000).padStart(7, '0')}`, content: `Message number ${id}` };
}

/** The numbers from `first` on, `count` of them, in portions that a peer takes at once. @param {number} first @param {number} count */
export function* portions(first, count) {
  for (let next = first; next < first + count; next += CHUNK) {
    yield Array.from({ length: Math.min(CHUNK, first + count - next) }, (_, index) => next + index);
  }
}

/**
 * The POST that every contender makes: `Pool.request`, the answer read and parsed, 2xx checked. Resolves with the provider's id.
 * @param {string} url
 * @returns {{ post: (message: Message) => Promise<string>, close: () => Promise<void> }}
 */
export function poster(url) {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections: SOCKETS, pipelining: 1 });
  const run = randomUUID();
  return {
    async post({ id, to, content }) {
      const { statusCode, body } = await pool.request({
        path: pathname,
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': `${run}-${id}` },
        body: JSON.stringify({ to, content }),
      });
      const answer = /** @type {{ messageId: string }} */ (await body.json());
      if (statusCode < 200 || statusCode > 299) throw new Error(`the receiver answered ${statusCode}`);
      return answer.messageId;
    },
    close: () => pool.close(),
  };
}

/** Resolves once `done` was called `count` times. */
export class Countdown {
  #left = 0;
  /** @type {() => void} */
  #resolve = () => undefined;

  /** @param {number} count */
  async from(count) {
    this.#left = count;
    await new Promise((resolve) => {
      this.#resolve = () => resolve(undefined);
    });
  }

  done() {
    this.#left -= 1;
    if (this.#left === 0) this.#resolve();
  }
}
