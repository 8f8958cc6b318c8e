import { LAG_MS } from '../doubt.js';

/** A stop is answered within the webhook's timeout and a second; where a replica hangs or is dead, after its lease. */
const CONFIRMED_MS = 45_000;

/**
 * Whether nothing arrived between a "Stopped" and the next start, nothing was in flight when it was said, and nobody but an
 * operator started sending again.
 * @param {import('./types.js').OrdinaryEvidence} evidence
 * @param {import('../tally.js').Tally} tally
 */
export function judgeStops({ words, requests, readings, faults, intervalMs, startedAt: begunAt }, tally) {
  const during = words.filter(({ askedAt }) => askedAt >= begunAt);
  tally.add('stops', during.length);
  for (const { askedAt, saidAt, startedAt, replies } of during) {
    const stop = `the stop asked for at ${time(askedAt)}`;
    if (saidAt === null || saidAt - askedAt > CONFIRMED_MS) {
      tally.broken('a stop is confirmed', `${stop} was not: ${replies.slice(-5).join(' | ')}`);
      continue;
    }
    tally.most('longest_stop_ms', saidAt - askedAt);
    const until = startedAt ?? Infinity;
    for (const { n, replica, arrivedAt, answeredAt, cutAt } of requests) {
      const begins = arrivedAt > saidAt && arrivedAt < until;
      const flies = arrivedAt <= saidAt && (answeredAt ?? cutAt ?? Infinity) > saidAt + LAG_MS;
      // What a process had sent before it was killed may lie in the socket for a moment.
      const fromTheDead = faults.some(
        ({ kind, replica: dead, at }) => kind === 'kill' && dead === replica && Math.abs(arrivedAt - at) < LAG_MS,
      );
      if ((!begins && !flies) || fromTheDead) continue;
      const what = begins
        ? `arrived ${arrivedAt - saidAt} ms after it`
        : `was in flight for ${(answeredAt ?? cutAt ?? NaN) - saidAt} ms more`;
      tally.broken(
        'after "Stopped" nothing arrives and nothing is in flight',
        `${stop}: message ${n} of replica ${replica} ${what}`,
      );
    }
    const wrong = readings.find(({ at, running }) => running && at > saidAt && at < until - LAG_MS);
    if (wrong)
      tally.broken("the operator's stop is not overridden", `${stop}: sending runs again at ${time(wrong.at)}`);
  }
  const strange = readings.find(
    ({ at, running }) =>
      !running &&
      at > begunAt &&
      !words.some(({ askedAt, runsAt }) => askedAt <= at && (runsAt ?? Infinity) + LAG_MS >= at),
  );
  if (strange) tally.broken("the operator's start is not overridden", `sending was stopped at ${time(strange.at)}`);
  const other = readings.find((reading) => reading.at > begunAt && reading.intervalMs !== intervalMs);
  if (other) {
    tally.broken(
      "the operator's interval is not overridden",
      `at ${time(other.at)} the fleet had ${other.intervalMs} ms`,
    );
  }
}

/** @param {number} at */
function time(at) {
  return new Date(at).toISOString().slice(11, 23);
}
