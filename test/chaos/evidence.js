import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';

/** @typedef {import('./types.js').Evidence} Evidence */

/** @typedef {{ replica: string, text: string }} Log */

const ALARM = /^\{"log\.level":"(warn|error|fatal)"/;
const BY_THE_RECEIVER = /message \d+: |without a usable messageId/;
const logLine = z.object({
  '@timestamp': z.string(),
  message: z.string(),
  error: z.object({ message: z.string() }).optional(),
});

/**
 * Reads the ledger, the database and the logs after the fleet has ended.
 * @param {{ policy: import('./types.js').Policy, options: import('./types.js').Options, home: string, webhookTimeoutMs: number, webhookConcurrency: number,
 *   database: import('./database.js').ChaosDatabase, receiver: import('./receiver.js').Receiver, timeline: import('./timeline.js').Timeline,
 *   replicas: readonly import('./replica.js').Replica[], recovery: import('./recovery-watch.js').RecoveryWatch }} parts
 * @returns {Promise<Evidence>}
 */
export async function collectEvidence({
  policy,
  options,
  home,
  webhookTimeoutMs,
  webhookConcurrency,
  database,
  receiver,
  timeline,
  replicas,
  recovery,
}) {
  const logs = replicas
    .flatMap((replica) => replica.logs)
    .map((path) => ({ replica: basename(path, '.log'), text: readFileSync(path, 'utf8') }));
  return {
    policy,
    fed: options.messages,
    rateLimit: options.rateLimit,
    webhookTimeoutMs,
    webhookConcurrency,
    requests: await receiver.ledger(join(home, 'ledger.ndjson')),
    messages: await database.messages(),
    attempts: await database.attempts(),
    jobs: await database.jobs(),
    faults: timeline.faults,
    recoveries: recovery.recoveries,
    logs: countLogs(logs),
    alarms: alarmsIn(logs),
    endedByThemselves: replicas.flatMap(({ endedByItself }) => endedByItself),
  };
}

/** @param {readonly Log[]} logs */
function countLogs(logs) {
  let refusedLateWrites = 0;
  let takenOver = 0;
  let recoveredByReceipt = 0;
  for (const { text } of logs) {
    for (const [, count] of text.matchAll(/(\d+) outcomes were refused/g)) refusedLateWrites += Number(count);
    for (const [, taken, sent] of text.matchAll(
      /took over (\d+) messages of a replica that went away: (\d+) were sent/g,
    )) {
      takenOver += Number(taken);
      recoveredByReceipt += Number(sent);
    }
  }
  return { refusedLateWrites, takenOver, recoveredByReceipt };
}

/**
 * What the replicas said at level warn or above, in the order of time, as text; without what the receiver does to single messages.
 * @param {readonly Log[]} logs
 */
function alarmsIn(logs) {
  const alarms = logs.flatMap(({ replica, text }) =>
    text
      .split('\n')
      // What follows the last line's end is nothing, or half a line of a process that was killed.
      .slice(0, -1)
      .filter((line) => ALARM.test(line) && !BY_THE_RECEIVER.test(line))
      .map((line) => describeLine(replica, logLine.parse(JSON.parse(line)))),
  );
  return alarms.toSorted();
}

/**
 * @param {string} replica
 * @param {z.infer<typeof logLine>} line
 */
function describeLine(replica, { '@timestamp': at, message, error }) {
  return `${at} ${replica}: ${message}${error === undefined ? '' : ` (${error.message})`}`;
}
