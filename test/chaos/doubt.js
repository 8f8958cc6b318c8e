import { troubled } from './timeline.js';

/**
 * Why the sender of a request may not know, or may not have been able to keep, how it ended.
 * @typedef {'withheld' | 'late' | 'in flight at a kill' | 'killed before it was written' | 'hung' | 'cut with the database away'
 *   | 'both memories lost' | 'sent by one that had hung' | 'starved sender'} Reason
 */

/** An outcome is written, or in Redis, within this of the answer, on a machine that the campaign itself overloads too. */
export const WRITTEN_MS = 1_000;
/** The same while PostgreSQL is away: receipts then go with the next try. */
const RECEIPT_MS = 2_000;
/** How far an arrival may lag behind its sending: so long a request may lie in a socket before the receiver reads it. */
export const LAG_MS = 500;
/** After Redis is back, replicas connect again, two seconds after their last try at most. */
export const REDIS_BACK_MS = 5_000;
/** Until a replica has noticed that PostgreSQL is back. */
const POSTGRES_BACK_MS = 3_000;

/**
 * The reason for which a message may be in doubt after `request`, or null when its sender had every means to know and to keep
 * that it was accepted. `next` is the request that repeated it, if one did; `nextAt` is when the doubt showed.
 * @param {import('./types.js').Request} request
 * @param {import('./types.js').Request | null} next
 * @param {number} nextAt
 * @param {{ faults: readonly import('./types.js').Fault[], webhookTimeoutMs: number, timedOut: (request: import('./types.js').Request) => boolean }} known
 * @returns {Reason | null}
 */
export function doubtAfter(request, next, nextAt, { faults, webhookTimeoutMs, timedOut }) {
  const { replica, arrivedAt, answeredAt, behaviour } = request;
  if (behaviour === 'reset') return 'withheld';
  const own = faults.filter((fault) => fault.replica === replica && fault.at <= nextAt);
  const kill = killAfter(request, nextAt, faults);
  const heardAt = answeredAt ?? Infinity;
  if (kill !== undefined && kill.at <= heardAt) return 'in flight at a kill';
  if (behaviour === 'late' || outlasted(request, webhookTimeoutMs)) return 'late';

  const hung = own.some(
    ({ kind, at, until }) =>
      kind === 'stall' && at <= heardAt + WRITTEN_MS && (until ?? Infinity) + LAG_MS >= arrivedAt,
  );
  if (hung) return 'hung';
  if (answeredAt === null) {
    return troubled(faults, 'postgres', arrivedAt - LAG_MS, (request.cutAt ?? nextAt) + LAG_MS)
      ? 'cut with the database away'
      : null;
  }

  const databaseAway = troubled(faults, 'postgres', answeredAt - WRITTEN_MS - POSTGRES_BACK_MS, kill?.at ?? nextAt);
  if (kill !== undefined) {
    if (kill.at <= answeredAt + WRITTEN_MS) return 'killed before it was written';
    if (databaseAway && kill.at <= answeredAt + RECEIPT_MS) return 'killed before it was written';
    if (databaseAway && troubled(faults, 'redis', answeredAt - REDIS_BACK_MS, nextAt)) return 'both memories lost';
  }
  if (next !== null && wasHung(next, faults)) return 'sent by one that had hung';
  return timedOut(request) ? 'starved sender' : null;
}

/**
 * The kill because of which a message may have been requested again, or null: that of its sender, unless the sender had given
 * the request up itself before that.
 * @param {import('./types.js').Request} request
 * @param {import('./types.js').Request} next
 * @param {Reason | null} why
 * @param {{ faults: readonly import('./types.js').Fault[], webhookTimeoutMs: number }} known
 */
export function blamedKill(request, next, why, { faults, webhookTimeoutMs }) {
  if (why !== 'in flight at a kill' && why !== 'killed before it was written') return null;
  return outlasted(request, webhookTimeoutMs) ? null : (killAfter(request, next.arrivedAt, faults) ?? null);
}

/**
 * The end of the process that made a request, if it was killed before `until`.
 * @param {import('./types.js').Request} request
 * @param {number} until
 * @param {readonly import('./types.js').Fault[]} faults
 */
function killAfter({ replica, arrivedAt }, until, faults) {
  return faults.find(
    (fault) =>
      fault.kind === 'kill' && fault.replica === replica && fault.at + LAG_MS >= arrivedAt && fault.at <= until,
  );
}

/**
 * Whether it lasted as long as a sender waits for an answer.
 * @param {import('./types.js').Request} request
 * @param {number} webhookTimeoutMs
 */
function outlasted({ arrivedAt, answeredAt, cutAt }, webhookTimeoutMs) {
  const endedAt = answeredAt ?? cutAt;
  return endedAt !== null && endedAt - arrivedAt > webhookTimeoutMs - LAG_MS;
}

/**
 * @param {import('./types.js').Request} request
 * @param {readonly import('./types.js').Fault[]} faults
 */
function wasHung({ replica, arrivedAt }, faults) {
  return faults.some(
    ({ kind, replica: stalled, at, until }) =>
      kind === 'stall' && stalled === replica && at <= arrivedAt && (until ?? Infinity) + LAG_MS >= arrivedAt,
  );
}
