import { historyOf } from './evidence-index.js';

/** @typedef {import('./types.js').Breach} Breach */

/** What a verdict counts while it goes through the evidence. */
export class Tally {
  /** @type {Record<string, number>} */
  figures = {};
  /** @type {Record<string, number>} */
  reasons = {};
  /** @type {Breach[]} */
  breaches = [];

  /**
   * @param {string} name
   * @param {number} by
   */
  add(name, by = 1) {
    this.figures[name] = (this.figures[name] ?? 0) + by;
  }

  /**
   * Keeps the largest.
   * @param {string} name
   * @param {number} value
   */
  most(name, value) {
    this.figures[name] = Math.max(this.figures[name] ?? 0, value);
  }

  /** @param {string} reason */
  because(reason) {
    this.reasons[reason] = (this.reasons[reason] ?? 0) + 1;
  }

  /**
   * @param {string} promise
   * @param {string} what
   * @param {readonly string[]} history
   */
  broken(promise, what, history = []) {
    this.breaches.push({ promise, what, history });
  }

  /**
   * @param {string} promise
   * @param {number} n
   * @param {string} what
   * @param {import('./evidence-index.js').EvidenceIndex} index
   */
  brokenFor(promise, n, what, index) {
    this.broken(promise, `message ${n}: ${what}`, historyOf(n, index));
  }
}
