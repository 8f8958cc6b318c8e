import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Requests per second that arrive during `seconds`, after `settleSeconds` to get up to speed; each key at most once. Sending
 * is stopped after them: the ledger is read when nothing more is written to it.
 * @param {import('../support/receiver.js').Receiver} receiver
 * @param {() => Promise<unknown>} stop
 * @param {{ settleSeconds: number, seconds: number }} times
 */
export async function steadyRate(receiver, stop, { settleSeconds, seconds }) {
  await sleep((settleSeconds + seconds + 1) * 1_000);
  await stop();
  const arrivals = await receiver.arrivals();
  const from = (arrivals[0]?.at ?? NaN) + settleSeconds * 1_000;
  const to = from + seconds * 1_000;
  const within = arrivals.filter(({ at }) => at >= from && at < to);
  if (new Set(arrivals.map(({ key }) => key)).size !== arrivals.length) throw new Error('a message arrived twice');
  return within.length / seconds;
}
