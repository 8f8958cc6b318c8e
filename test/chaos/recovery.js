/** A crashed replica's messages are free again within this, once PostgreSQL is there. */
const FREE_AGAIN_MS = 60_000;

/**
 * How long the messages of killed replicas were held by nobody. `recovery_…` are those that no outage of PostgreSQL touched.
 * @param {import('./types.js').Evidence} evidence
 * @param {import('./tally.js').Tally} tally
 */
export function judgeRecoveries({ recoveries, faults }, tally) {
  const outages = faults.filter(({ kind }) => kind === 'postgres');
  /** @type {number[]} */
  const undisturbed = [];
  tally.add('recoveries', recoveries.length);
  tally.most('longest_stuck_ms', 0);
  for (const { replica, messages, killedAt, freeAt } of recoveries) {
    const touching = outages.filter(({ at, until }) => at <= freeAt && (until ?? Infinity) >= killedAt);
    const tookMs = freeAt - Math.max(killedAt, ...touching.map(({ until }) => until ?? killedAt));
    if (touching.length === 0) undisturbed.push(tookMs);
    tally.most('longest_stuck_ms', freeAt - killedAt);
    if (tookMs <= FREE_AGAIN_MS) continue;
    tally.broken(
      `a crashed replica's messages are free again within ${FREE_AGAIN_MS / 1000} s`,
      `${messages} messages of replica ${replica}, killed at ${new Date(killedAt).toISOString()}, were held for ${tookMs} ms`,
    );
  }
  undisturbed.sort((a, b) => a - b);
  tally.add('recovery_p50_ms', undisturbed[Math.floor(undisturbed.length / 2)] ?? 0);
  tally.add('recovery_max_ms', undisturbed.at(-1) ?? 0);
}
