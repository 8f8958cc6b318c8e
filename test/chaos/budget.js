/**
 * Whether any job made more requests than its budget, by the attempt log and by the receiver's own count.
 * @param {import('./types.js').Evidence} evidence
 * @param {import('./evidence-index.js').EvidenceIndex} index
 * @param {import('./tally.js').Tally} tally
 */
export function judgeBudgets({ jobs, attempts, requests, rateLimit }, index, tally) {
  // An attempt that was taken over may be in the log twice: by the new owner as uncertain, and by the old one, late.
  const distinct = new Map(attempts.map((one) => [`${one.jobId}/${one.messageId}/${one.number}`, one]));
  const logged = countBy([...distinct.values()], ({ jobId }) => jobId);
  const jobOf = jobsOfRuns(requests, index);
  const arrived = countBy(
    requests.filter(({ trace }) => jobOf.has(trace)),
    ({ trace }) => jobOf.get(trace) ?? 0,
  );
  tally.add('jobs', jobs.filter(({ budget }) => budget !== null).length);
  tally.add('jobs_over_budget', 0);
  for (const [source, counts] of /** @type {const} */ ([
    ['the attempt log', logged],
    ["the receiver's ledger", arrived],
  ])) {
    for (const [job, made] of counts) {
      tally.most('most_attempts_of_a_job', made);
      if (made <= rateLimit) continue;
      tally.add('jobs_over_budget');
      tally.broken('a job keeps to its budget', `job ${job} made ${made} of ${rateLimit} attempts by ${source}`);
    }
  }
  for (const [dueAt, count] of countBy(jobs, (job) => job.dueAt)) {
    if (count > 1) tally.broken('a slot is one job', `${count} jobs for ${new Date(dueAt).toISOString()}`);
  }
}

/**
 * Which job a run belongs to: a run's trace is the receiver's word, the job's id is the log's. A message that was requested
 * once and logged once ties them together.
 * @param {readonly import('./types.js').Request[]} requests
 * @param {import('./evidence-index.js').EvidenceIndex} index
 */
function jobsOfRuns(requests, index) {
  /** @type {Map<string, number>} */
  const jobOf = new Map();
  for (const { n, trace } of requests) {
    if (jobOf.has(trace) || index.requests.get(n)?.length !== 1) continue;
    const [attempt, ...more] = index.attempts.get(n) ?? [];
    if (attempt !== undefined && more.length === 0) jobOf.set(trace, attempt.jobId);
  }
  return jobOf;
}

/**
 * @template T, K
 * @param {readonly T[]} items
 * @param {(item: T) => K} keyOf
 * @returns {Map<K, number>}
 */
function countBy(items, keyOf) {
  /** @type {Map<K, number>} */
  const counts = new Map();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}
