/** @typedef {import('./types.js').Request} Request */

/** How far a request's start in the attempt log may be from its arrival. */
const SAME_ATTEMPT_MS = 700;

/**
 * The evidence by message.
 * @param {import('./types.js').Evidence} evidence
 */
export function indexEvidence({ requests, messages, attempts, faults, webhookTimeoutMs }) {
  /** @type {Map<number, Request[]>} */
  const byNumber = new Map();
  /** @type {Map<string, Set<number>>} */
  const numbersByKey = new Map();
  for (const request of requests) {
    add(byNumber, request.n, request);
    const numbers = numbersByKey.get(request.key) ?? new Set();
    numbersByKey.set(request.key, numbers.add(request.n));
  }
  const rows = new Map(messages.map((row) => [row.n, row]));
  const numberOf = new Map(messages.map(({ id, n }) => [id, n]));
  /** @type {Map<number, import('./types.js').AttemptRow[]>} */
  const attemptsByNumber = new Map();
  for (const attempt of attempts) add(attemptsByNumber, numberOf.get(attempt.messageId) ?? -1, attempt);
  const timedOut = (/** @type {Request} */ { n, arrivedAt }) =>
    (attemptsByNumber.get(n) ?? []).some(
      ({ error, startedAt }) =>
        error?.startsWith('no answer within the timeout') && Math.abs(startedAt - arrivedAt) < SAME_ATTEMPT_MS,
    );
  return {
    rows,
    requests: byNumber,
    attempts: attemptsByNumber,
    numbersByKey,
    numberOf,
    known: { faults, webhookTimeoutMs, timedOut },
  };
}

/** @typedef {ReturnType<typeof indexEvidence>} EvidenceIndex */

/**
 * Everything that is known of one message, in order, for people.
 * @param {number} n
 * @param {EvidenceIndex} index
 * @returns {string[]}
 */
export function historyOf(n, index) {
  const { faults } = index.known;
  const requests = index.requests.get(n) ?? [];
  const attempts = index.attempts.get(n) ?? [];
  const row = index.rows.get(n);
  const from = Math.min(...requests.map(({ arrivedAt }) => arrivedAt)) - 5_000;
  const to = Math.max(...requests.map(({ arrivedAt }) => arrivedAt), row?.parkedAt ?? 0) + 15_000;
  const events = [
    ...requests.map((request) => ({ at: request.arrivedAt, text: describeRequest(request) })),
    ...attempts.map(({ startedAt, jobId, number, outcome, error }) => ({
      at: startedAt,
      text: `attempt ${number} in the log of job ${jobId}: ${outcome}${error === null ? '' : `, ${error}`}`,
    })),
    ...faults
      .filter(({ at, until }) => (until ?? Infinity) >= from && at <= to)
      .map(({ at, until, kind, how, replica }) => ({
        at,
        text: `${kind}${replica < 0 ? '' : ` of replica ${replica}`}: ${how}${until === null ? '' : `, over after ${until - at} ms`}`,
      })),
  ];
  const lines = events
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, text }) => `${new Date(at).toISOString().slice(11, 23)} ${text}`);
  const end =
    row &&
    `in the end: ${row.sent ? 'sent' : (row.parkedAs ?? `unsettled, claimed by ${row.claimedBy ?? 'none'}`)}, id ${row.id}, ${row.attempts} attempts`;
  return end === undefined ? lines : [...lines, end];
}

/** @param {Request} request */
function describeRequest({ replica, trace, behaviour, took, arrivedAt, answeredAt, cutAt }) {
  const end =
    answeredAt === null ? `cut after ${(cutAt ?? NaN) - arrivedAt} ms` : `answered after ${answeredAt - arrivedAt} ms`;
  return `request from replica ${replica}, run ${trace.slice(0, 8)}: ${behaviour}, ${took ? 'taken' : 'not taken'}, ${end}`;
}

/**
 * @template K, V
 * @param {Map<K, V[]>} map
 * @param {K} key
 * @param {V} value
 */
function add(map, key, value) {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
