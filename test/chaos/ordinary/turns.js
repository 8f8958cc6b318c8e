/** Kinds of rows that take a place in the row of those who wait for their first request. */
const TAKES_A_PLACE = new Set(['good', 'bad', 'unmarkable']);

/**
 * A clock that stands still during pauses.
 * @param {readonly import('./types.js').Pause[]} pauses
 * @returns {import('./turns.js').CountedTime}
 */
export function countedTime(pauses) {
  /** @type {{ from: number, until: number }[]} */
  const merged = [];
  for (const { from, until } of pauses.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last.until) last.until = Math.max(last.until, until);
    else merged.push({ from, until });
  }
  const counted = (/** @type {number} */ at) =>
    at - merged.reduce((sum, { from, until }) => sum + Math.max(0, Math.min(until, at) - from), 0);
  const instant = (/** @type {number} */ shown) =>
    merged.reduce((at, { from, until }) => (from < at ? at + until - from : at), shown);
  return { merged, counted, instant };
}

/**
 * When each message's turn is, on the clock that counts: one interval after its commit, and not before the share of a slot that
 * belongs to first requests (half of `rateLimit`; due retries have the other half) has gone to those who were committed before.
 * Rows that are invalid or that PostgreSQL refuses take no place.
 * @param {readonly import('./types.js').Fed[]} rows
 * @param {{ rateLimit: number, intervalMs: number, counted: (at: number) => number }} pace
 * @returns {Map<number, number>} by number
 */
export function turnsOf(rows, { rateLimit, intervalMs, counted }) {
  const eachMs = intervalMs / Math.max(1, Math.floor(rateLimit / 2));
  /** @type {Map<number, number>} */
  const turns = new Map();
  let last = -Infinity;
  const inOrder = rows
    .filter(({ kind, committedAt }) => TAKES_A_PLACE.has(kind) && committedAt < Infinity)
    .toSorted((a, b) => a.committedAt - b.committedAt || a.n - b.n);
  for (const { n, committedAt } of inOrder) {
    last = Math.max(counted(committedAt) + intervalMs, last + eachMs);
    turns.set(n, last);
  }
  return turns;
}
