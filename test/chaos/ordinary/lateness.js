import { countedTime, turnsOf } from './turns.js';

/** No good message waits longer than this beyond its turn. */
const SLOTS = 2;
/** How far an arrival may lag behind its sending on a machine that the campaign itself overloads. */
const MACHINE_MS = 1_500;
/** What is broken for longer than this is seen by a probe. */
const SEEN_MS = 15_000;
const HISTORIES = 5;
const AROUND_MS = 6_000;

/** @typedef {{ n: number, committedAt: number, turnAt: number, arrivedAt: number | null, lateMs: number }} Wait */

/**
 * Whether every good message went out in its turn, and whether the probes told when one did not.
 * @param {import('./types.js').OrdinaryEvidence} evidence
 * @param {import('../evidence-index.js').EvidenceIndex} index
 * @param {import('../tally.js').Tally} tally
 */
export function judgeLateness(evidence, index, tally) {
  const waits = waitsOf(evidence, index);
  const boundMs = SLOTS * evidence.intervalMs + MACHINE_MS;
  const late = waits.filter(({ lateMs }) => lateMs > boundMs).toSorted((a, b) => b.lateMs - a.lateMs);
  const byLateness = waits.map(({ lateMs }) => lateMs).toSorted((a, b) => a - b);
  const at = (/** @type {number} */ share) => Math.round(byLateness[Math.floor(share * (byLateness.length - 1))] ?? 0);
  Object.assign(tally.figures, {
    good_messages: waits.length,
    good_late: late.length,
    beyond_its_turn_p50_ms: at(0.5),
    beyond_its_turn_p99_ms: at(0.99),
    beyond_its_turn_max_ms: at(1),
    counted_seconds: countedSeconds(evidence),
  });
  const promise = `no good message waits more than ${SLOTS} slots beyond its turn`;
  late.forEach((wait, position) => {
    const arrival = wait.arrivedAt === null ? 'did not go out' : `went out ${time(wait.arrivedAt)}`;
    const what = `message ${wait.n} ${arrival}, ${Math.round(wait.lateMs)} ms after its turn`;
    tally.broken(promise, what, position < HISTORIES ? historyOfWait(wait, evidence) : []);
  });
  judgeProbes(late, evidence, tally);
}

/**
 * @param {import('./types.js').OrdinaryEvidence} evidence
 * @param {import('../evidence-index.js').EvidenceIndex} index
 * @returns {Wait[]}
 */
function waitsOf(evidence, index) {
  const { rows, acts, pauses, rateLimit, intervalMs, readAt } = evidence;
  const clock = countedTime(pauses);
  const turns = turnsOf(rows, { rateLimit, intervalMs, counted: clock.counted });
  // What somebody marked, deleted or locked has no turn of its own; it keeps its place in the row.
  const touched = new Set(acts.map(({ n }) => n));
  // With hold, what a replica had claimed when it was killed or hung is parked as uncertain, requested or not: its wait is over.
  const parkedAt = new Map(
    evidence.messages.filter(({ parkedAs }) => parkedAs === 'uncertain').map((row) => [row.n, row.parkedAt]),
  );
  return rows
    .filter(({ kind, n }) => kind === 'good' && !touched.has(n) && turns.has(n))
    .map(({ n, committedAt }) => {
      const turn = turns.get(n) ?? 0;
      const arrivedAt = index.requests.get(n)?.[0]?.arrivedAt ?? parkedAt.get(n) ?? null;
      return {
        n,
        committedAt,
        turnAt: clock.instant(turn),
        arrivedAt,
        lateMs: Math.max(0, clock.counted(arrivedAt ?? readAt) - turn),
      };
    });
}

/**
 * While a good message is overdue for long, some replica must say so: by a probe that fails, or in words.
 * @param {readonly Wait[]} late
 * @param {import('./types.js').OrdinaryEvidence} evidence
 * @param {import('../tally.js').Tally} tally
 */
function judgeProbes(late, { intervalMs, probes, readAt }, tally) {
  const overdueMs = SLOTS * intervalMs + SEEN_MS;
  tally.add('silences', 0);
  tally.add('silences_seen', 0);
  /** @type {{ from: number, until: number }[]} */
  const silences = [];
  for (const { turnAt, arrivedAt } of late.toSorted((a, b) => a.turnAt - b.turnAt)) {
    const [from, until] = [turnAt + overdueMs, arrivedAt ?? readAt];
    const last = silences.at(-1);
    if (until <= from) continue;
    if (last !== undefined && from <= last.until) last.until = Math.max(last.until, until);
    else silences.push({ from, until });
  }
  for (const { from, until } of silences) {
    const during = probes.filter((probe) => probe.at >= from - SEEN_MS && probe.at <= until);
    tally.add('silences');
    if (during.some(({ live, ready, says }) => live !== 200 || ready !== 200 || says !== null)) {
      tally.add('silences_seen');
    } else if (during.length > 0) {
      tally.broken(
        'what is broken for long is seen by a probe',
        `from ${time(from)} to ${time(until)} no probe told anything`,
      );
    }
  }
}

/** @param {import('./types.js').OrdinaryEvidence} evidence */
function countedSeconds({ pauses, startedAt, readAt }) {
  const { counted } = countedTime(pauses);
  return Math.round((counted(readAt) - counted(startedAt)) / 1000);
}

/**
 * What happened around a wait, for people.
 * @param {Wait} wait
 * @param {import('./types.js').OrdinaryEvidence} evidence
 */
function historyOfWait({ n, committedAt, turnAt, arrivedAt }, evidence) {
  const from = committedAt - AROUND_MS;
  const until = arrivedAt ?? evidence.readAt;
  const row = evidence.messages.find((one) => one.n === n);
  const events = [
    { at: committedAt, text: `message ${n} is committed` },
    { at: turnAt, text: 'its turn' },
    ...(arrivedAt === null ? [] : [{ at: arrivedAt, text: 'it arrives' }]),
    ...evidence.faults
      .filter((fault) => fault.at <= until && (fault.until ?? Infinity) >= from)
      .map(({ at, until: over, how, kind, replica }) => ({
        at,
        text: `${kind}${replica < 0 ? '' : ` of replica ${replica}`}: ${how}, ${over === null ? 'not over' : `over after ${over - at} ms`}`,
      })),
    ...evidence.pauses
      .filter((pause) => pause.from <= until && pause.until >= from)
      .map((pause) => ({ at: pause.from, text: `does not count for ${pause.until - pause.from} ms: ${pause.why}` })),
    ...evidence.jobs
      .filter(({ dueAt, finishedAt }) => dueAt <= until && (finishedAt ?? Infinity) >= from)
      .slice(0, 40)
      .map(({ id, dueAt, startedAt, finishedAt, budget, claimed, sent, notSent, state, note }) => ({
        at: startedAt ?? dueAt,
        text:
          `job ${id}, due ${time(dueAt)}, ${state} after ${Math.round((finishedAt ?? NaN) - (startedAt ?? NaN))} ms: claimed ${claimed} of ${budget}, ` +
          `${sent} sent, ${notSent} not${note === null ? '' : `; ${note}`}`,
      })),
  ];
  const lines = events.toSorted((a, b) => a.at - b.at).map(({ at, text }) => `${time(at)} ${text}`);
  return [...lines, `in the end: ${row === undefined ? 'no such row' : JSON.stringify(row)}`];
}

/** @param {number} at */
function time(at) {
  return Number.isFinite(at) ? new Date(at).toISOString().slice(11, 23) : String(at);
}
