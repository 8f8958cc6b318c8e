import { judgeBudgets } from '../budget.js';
import { indexEvidence } from '../evidence-index.js';
import { judgeRecoveries } from '../recovery.js';
import { Tally } from '../tally.js';
import { judgeEnd, judgeRepetitions } from '../verdict.js';
import { judgeLateness } from './lateness.js';
import { bigId } from './manner.js';
import { judgeStops } from './stops.js';
import { judgeVitals } from './vitals.js';

/**
 * What the evidence of ordinary life says about each promise. Pure: the same evidence gives the same verdict.
 * @param {import('./types.js').OrdinaryEvidence} evidence
 * @returns {import('../types.js').Verdict}
 */
export function judgeOrdinary(evidence) {
  const { policy, requests, faults, rows, calls, logs } = evidence;
  const index = indexEvidence(evidence);
  const tally = new Tally();
  const happened = (/** @type {string} */ kind) => faults.filter((fault) => fault.kind === kind).length;
  Object.assign(tally.figures, {
    requests: requests.length,
    harms: faults.length,
    kills: happened('kill'),
    stalls: happened('stall'),
    api_calls: Object.values(calls).reduce((sum, count) => sum + count, 0),
    api_calls_failed: Object.entries(calls).reduce((sum, [what, count]) => (/^[2]/.test(what) ? sum : sum + count), 0),
    ...Object.fromEntries(['sent', 'failed', 'uncertain', 'lost', 'wrongly_marked'].map((name) => [name, 0])),
    ...Object.fromEntries(['duplicated_same_key', 'duplicated_other_key', 'bad_unsettled'].map((name) => [name, 0])),
  });
  const touched = new Map(evidence.acts.map(({ n, what }) => [n, what]));
  /** @type {Map<import('../types.js').Fault, number[]>} */
  const repeatedBy = new Map();
  for (const { n, kind } of rows) {
    judgeRow(n, kind, touched.get(n), evidence, index, tally);
    if (index.requests.has(n)) judgeRepetitions(n, policy, index, tally, repeatedBy);
  }
  for (const [key, numbers] of index.numbersByKey) {
    if (numbers.size > 1) tally.broken('a key belongs to one message', `${key}: messages ${[...numbers].join(', ')}`);
  }
  judgeLateness(evidence, index, tally);
  judgeStops(evidence, tally);
  judgeVitals(evidence, tally);
  judgeRecoveries(evidence, tally);
  judgeBudgets(evidence, index, tally);
  for (const [what, count] of Object.entries(calls)) {
    if (what.startsWith('500 ')) tally.broken('no call of the API ends with 500', `${count} times ${what}`);
  }
  tally.add('late_writes_refused', logs.refusedLateWrites);
  tally.add('taken_over', logs.takenOver);
  for (const what of evidence.endedByThemselves) tally.broken('the service never ends by itself', what);
  return { policy, figures: tally.figures, reasons: tally.reasons, breaches: tally.breaches };
}

/**
 * @param {number} n
 * @param {import('./types.js').Kind} kind
 * @param {import('./types.js').HandAct['what'] | undefined} act
 * @param {import('./types.js').OrdinaryEvidence} evidence
 * @param {import('../evidence-index.js').EvidenceIndex} index
 * @param {Tally} tally
 */
function judgeRow(n, kind, act, { messages }, index, tally) {
  const row = messagesByNumber(messages).get(n);
  switch (kind) {
    case 'good': {
      if (act === 'deleted') return;
      if (act === 'marked') {
        if (!row?.sent) tally.brokenFor('what is marked by hand stays marked', n, 'is unsent again', index);
        return;
      }
      judgeEnd(n, index, tally);
      const id = row?.providerId;
      if (id?.startsWith('123456789012') && id !== bigId(n)) {
        tally.brokenFor("the provider's id is kept as it is", n, `has ${id} instead of ${bigId(n)}`, index);
      }
      return;
    }
    case 'bad': {
      const settled = row !== undefined && (row.sent || row.parkedAs !== null);
      if (!settled && row !== undefined) return tally.add('bad_unsettled');
      return judgeEnd(n, index, tally);
    }
    case 'unmarkable':
      if (row?.parkedAs === 'failed' && index.requests.get(n)?.some(({ took }) => took)) judgeEnd(n, index, tally);
      return;
    case 'invalid':
    case 'cursed':
    case 'legacy':
      if (index.requests.has(n) && kind === 'invalid')
        tally.brokenFor('what is invalid is not sent', n, 'was sent', index);
      if (kind === 'invalid' && row?.parkedAs !== 'failed') tally.add('invalid_not_parked');
      return;
    case 'due':
    case 'parked':
    case 'unsure':
  }
}

/** @type {WeakMap<object, Map<number, import('./types.js').OrdinaryRow>>} */
const byNumber = new WeakMap();

/** @param {readonly import('./types.js').OrdinaryRow[]} messages */
function messagesByNumber(messages) {
  const known = byNumber.get(messages) ?? new Map(messages.map((row) => [row.n, row]));
  byNumber.set(messages, known);
  return known;
}
