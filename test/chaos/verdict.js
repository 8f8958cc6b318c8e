import { judgeBudgets } from './budget.js';
import { blamedKill, doubtAfter, LAG_MS, WRITTEN_MS } from './doubt.js';
import { indexEvidence } from './evidence-index.js';
import { judgeKills } from './kill-bound.js';
import { judgeRecoveries } from './recovery.js';
import { Tally } from './tally.js';

/** Reasons for a repetition that lie with the receiver, whether anybody is killed or not. */
const BY_THE_RECEIVER = new Set(['withheld', 'late']);

/**
 * What the evidence says about each promise. Pure: the same evidence gives the same verdict.
 * @param {import('./types.js').Evidence} evidence
 * @returns {import('./types.js').Verdict}
 */
export function judge(evidence) {
  const { policy, fed, requests, faults, logs } = evidence;
  const index = indexEvidence(evidence);
  const tally = new Tally();
  const happened = (/** @type {import('./types.js').FaultKind} */ kind) =>
    faults.filter((fault) => fault.kind === kind).length;
  Object.assign(tally.figures, {
    messages: fed,
    requests: requests.length,
    kills: happened('kill'),
    stalls: happened('stall'),
    redis_outages: happened('redis'),
    postgres_outages: happened('postgres'),
    ...Object.fromEntries(
      ['sent', 'failed', 'uncertain', 'uncertain_never_arrived', 'lost', 'wrongly_marked'].map((name) => [name, 0]),
    ),
    ...Object.fromEntries(
      ['duplicated_same_key', 'duplicated_other_key', 'repeated_after_crash'].map((name) => [name, 0]),
    ),
  });
  /** @type {Map<import('./types.js').Fault, number[]>} */
  const repeatedBy = new Map();
  for (let n = 1; n <= fed; n += 1) {
    judgeEnd(n, index, tally);
    judgeRepetitions(n, policy, index, tally, repeatedBy);
  }
  for (const [key, numbers] of index.numbersByKey) {
    if (numbers.size > 1) tally.broken('a key belongs to one message', `${key}: messages ${[...numbers].join(', ')}`);
  }
  judgeBound(evidence, tally);
  judgeKills(evidence, repeatedBy, tally);
  judgeRecoveries(evidence, tally);
  judgeBudgets(evidence, index, tally);
  tally.add('late_writes_refused', logs.refusedLateWrites);
  tally.add('taken_over', logs.takenOver);
  tally.add('recovered_by_receipt', logs.recoveredByReceipt);
  for (const what of evidence.endedByThemselves) tally.broken('the service never ends by itself', what);
  return { policy, figures: tally.figures, reasons: tally.reasons, breaches: tally.breaches };
}

/**
 * Whether the message's last state fits what the receiver knows.
 * @param {number} n
 * @param {import('./evidence-index.js').EvidenceIndex} index
 * @param {Tally} tally
 */
export function judgeEnd(n, index, tally) {
  const row = index.rows.get(n);
  const taken = (index.requests.get(n) ?? []).filter(({ took }) => took);
  if (row === undefined || (!row.sent && row.parkedAs === null)) {
    tally.add('lost');
    const what = row === undefined ? 'is not in the database' : `is stuck, claimed by job ${row.claimedBy ?? 'none'}`;
    return tally.brokenFor('none is lost', n, what, index);
  }
  const state = row.sent ? 'sent' : String(row.parkedAs);
  tally.add(state);
  if (state === 'uncertain') return judgeUncertain(n, row, taken.at(-1), index, tally);
  if (row.sent === taken.length > 0) return;
  tally.add('wrongly_marked');
  const what = row.sent
    ? 'is marked as sent and was never accepted'
    : `was accepted and is parked as ${state}: ${row.parkedReason}`;
  tally.brokenFor('sent is what was accepted, and nothing else', n, what, index);
}

/**
 * @param {number} n
 * @param {import('./types.js').MessageRow} row
 * @param {import('./types.js').Request | undefined} accepted
 * @param {import('./evidence-index.js').EvidenceIndex} index
 * @param {Tally} tally
 */
function judgeUncertain(n, row, accepted, index, tally) {
  if (accepted === undefined) {
    tally.add('uncertain_never_arrived');
    return tally.because('uncertain: never accepted');
  }
  const why = doubtAfter(accepted, null, row.parkedAt ?? Infinity, index.known);
  if (why !== null) return tally.because(`uncertain: ${why}`);
  tally.brokenFor('only what is in doubt is uncertain', n, 'is uncertain although its acceptance was known', index);
}

/**
 * @param {number} n
 * @param {import('./types.js').Policy} policy
 * @param {import('./evidence-index.js').EvidenceIndex} index
 * @param {Tally} tally
 * @param {Map<import('./types.js').Fault, number[]>} repeatedBy gets the message for each kill that repeated it
 */
export function judgeRepetitions(n, policy, index, tally, repeatedBy) {
  const requests = index.requests.get(n) ?? [];
  if (new Set(requests.map(({ key }) => key)).size > 1) {
    tally.brokenFor('every attempt carries the same key', n, 'went out under several keys', index);
  }
  const taken = requests.filter(({ took }) => took);
  taken.forEach((again, position) => {
    const former = taken[position - 1];
    if (former === undefined) return;
    tally.add(again.key === former.key ? 'duplicated_same_key' : 'duplicated_other_key');
    if (policy === 'hold') tally.brokenFor('with hold none is sent twice', n, 'was accepted twice', index);
    const why = doubtAfter(former, again, again.arrivedAt, index.known);
    if (why === null)
      tally.brokenFor(
        'only what is in doubt is sent again',
        n,
        'was sent again although its acceptance was known',
        index,
      );
    else tally.because(`sent again: ${why}`);
    if (!BY_THE_RECEIVER.has(why ?? '')) tally.add('repeated_after_crash');
    const kill = blamedKill(former, again, why, index.known);
    if (kill !== null) repeatedBy.set(kill, [...(repeatedBy.get(kill) ?? []), n]);
  });
}

/**
 * Repetitions after crashes are at most the requests that were in flight when their sender was killed or hung: those without an
 * answer, and those whose answer was only just on its way to the database.
 * @param {import('./types.js').Evidence} evidence
 * @param {Tally} tally
 */
function judgeBound({ policy, faults, requests }, tally) {
  const hits = faults.filter(({ kind }) => kind === 'kill' || kind === 'stall');
  const within = (/** @type {number} */ beforeMs) =>
    requests.filter(({ took, replica, arrivedAt, answeredAt }) =>
      hits.some(
        (hit) =>
          took &&
          hit.replica === replica &&
          arrivedAt <= (hit.until ?? hit.at) + LAG_MS &&
          (answeredAt ?? Infinity) >= hit.at - beforeMs,
      ),
    ).length;
  const unanswered = within(0);
  const inFlight = within(WRITTEN_MS);
  tally.add('unanswered_at_kills', unanswered);
  tally.add('just_answered_at_kills', inFlight - unanswered);
  const repeated = tally.figures.repeated_after_crash ?? 0;
  const memoriesLost = tally.reasons['sent again: both memories lost'] ?? 0;
  if (policy === 'resend' && repeated - memoriesLost > inFlight) {
    tally.broken(
      'repetitions are at most the requests in flight at kills',
      `${repeated} repetitions, ${inFlight} in flight`,
    );
  }
}
