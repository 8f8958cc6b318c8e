import { REDIS_BACK_MS } from './doubt.js';
import { troubled } from './timeline.js';

/** @typedef {import('./types.js').Fault} Fault */

const NAMED_MESSAGES = 40;
/** Between an answer and the next request of a replica that sends one after another. */
const SENDING_WITHIN_MS = 200;

/**
 * A replica has at most `webhook_concurrency` messages requested and neither in Redis nor in the database, so one kill causes at
 * most so many repetitions. Without Redis an answer is remembered only once it is in the database: those kills are counted apart.
 * @param {import('./types.js').Evidence} evidence
 * @param {ReadonlyMap<Fault, readonly number[]>} repeatedBy the messages that were accepted again because of a kill
 * @param {import('./tally.js').Tally} tally
 */
export function judgeKills(evidence, repeatedBy, tally) {
  const { faults, requests, webhookConcurrency } = evidence;
  const kills = faults.filter(({ kind }) => kind === 'kill');
  tally.add('kills_of_a_sending_replica', kills.filter((kill) => wasSending(kill, requests)).length);
  tally.add('kills_without_redis', 0);
  tally.add('most_repeated_by_a_kill', 0);
  tally.add('most_repeated_by_a_kill_without_redis', 0);
  for (const kill of kills) {
    const messages = repeatedBy.get(kill) ?? [];
    if (troubled(faults, 'redis', kill.at - REDIS_BACK_MS, freeAfter(kill, evidence))) {
      tally.add('kills_without_redis');
      tally.most('most_repeated_by_a_kill_without_redis', messages.length);
      continue;
    }
    tally.most('most_repeated_by_a_kill', messages.length);
    if (messages.length <= webhookConcurrency) continue;
    tally.broken(
      'a kill repeats at most webhook_concurrency messages',
      `the kill of replica ${kill.replica} at ${new Date(kill.at).toISOString()} (${kill.how}) repeated ${messages.length} ` +
        `with webhook_concurrency ${webhookConcurrency}: messages ${messages.slice(0, NAMED_MESSAGES).join(', ')}`,
    );
  }
}

/**
 * When the last of what the replica had in its hands was in others': until then its receipts were needed.
 * @param {Fault} kill
 * @param {import('./types.js').Evidence} evidence
 */
function freeAfter(kill, { faults, recoveries }) {
  const next = faults.find(({ kind, replica, at }) => kind === 'kill' && replica === kill.replica && at > kill.at);
  const own = recoveries.filter(
    ({ replica, killedAt }) => replica === kill.replica && killedAt >= kill.at && killedAt < (next?.at ?? Infinity),
  );
  return Math.max(kill.at, ...own.map(({ freeAt }) => freeAt));
}

/**
 * @param {Fault} kill
 * @param {readonly import('./types.js').Request[]} requests
 */
function wasSending({ replica, at }, requests) {
  return requests.some(
    (one) =>
      one.replica === replica &&
      one.arrivedAt <= at &&
      (one.answeredAt ?? one.cutAt ?? Infinity) >= at - SENDING_WITHIN_MS,
  );
}
