import { join } from 'node:path';
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ChaosDatabase } from './database.js';
import { collectEvidence } from './evidence.js';
import { Faults } from './faults.js';
import { Random } from './random.js';
import { Receiver } from './receiver.js';
import { RecoveryWatch } from './recovery-watch.js';
import { Replica } from './replica.js';
import { Timeline } from './timeline.js';

const WEBHOOK_TIMEOUT_MS = 2_000;
const CONCURRENCY = 16;
/** The job of a killed replica keeps its place among the workers until it is taken over; the others go on meanwhile. */
const WORKERS_PER_REPLICA = 5;
/** No fault waits longer than this for the fleet to send. */
const IDLE_MS = 5_000;
/** So many kills' worth of messages wait at least, so that the fleet never idles. */
const KILLS_AHEAD = 8;
const PROGRESS_MS = 5_000;
/** Nothing was settled for so long although every part is up: whatever is left counts as lost. */
const HOPELESS_MS = 75_000;

/**
 * @typedef {{ build: string, folder: string, postgres: import('./postgres.js').Postgres, redis: import('./redis.js').Redis,
 *   options: import('./types.js').Options, say: (line: string) => void }} Ground
 */

/**
 * One campaign under one policy: feeds messages and does harm until there were enough kills, lets the fleet finish, and returns
 * what a verdict is made of.
 * @param {Ground} ground
 * @param {import('./types.js').Policy} policy
 * @returns {Promise<import('./types.js').Evidence>}
 */
export async function runCampaign({ build, folder, postgres, redis, options, say }, policy) {
  const home = join(folder, policy);
  mkdirSync(home, { recursive: true });
  const databaseUrl = await postgres.createDatabase(`chaos_${policy}`);
  const database = new ChaosDatabase(databaseUrl);
  const receiver = await Receiver.start(options.seed);
  const replicas = Array.from({ length: options.replicas }, (_, index) => {
    const live = liveSettings(receiver.urlFor(index), policy, options);
    return new Replica(index, { build, folder: home, databaseUrl, redisAddress: redis.address, live });
  });
  const timeline = new Timeline();
  const recovery = new RecoveryWatch(database);
  const random = new Random(options.seed);
  const faults = new Faults({ random, timeline, replicas, postgres, redis, receiver, recovery, only: options.only });
  const ticker = setInterval(() => void progress(), PROGRESS_MS);
  const startedAt = Date.now();
  async function progress() {
    const left = await database.unsettled().catch(() => null);
    const { requests } = await receiver.stats().catch(() => ({ requests: 0 }));
    const seconds = Math.round((Date.now() - startedAt) / 1000);
    say(
      `${policy} ${seconds} s: ${timeline.kills}/${options.kills} kills, ${requests} requests, ${left ?? '?'} unsettled`,
    );
  }
  try {
    for (const replica of replicas) replica.start();
    await eventually(() => replicas.every(({ listening }) => listening), 60_000, 'the replicas did not start');

    let fed = 0;
    const done = () => (options.only === null ? timeline.kills : timeline.faults.length);
    while (done() < options.kills) {
      const share = Math.min(1, (done() + KILLS_AHEAD) / options.kills);
      fed = Math.max(fed, Math.ceil(share * options.messages));
      await database.feed(fed).catch(() => undefined);
      await untilArrived(receiver, random.between(0, 2) * (options.messages / options.kills));
      await faults.next();
    }
    await faults.settled();
    await eventually(() => replicas.every(({ alive }) => alive), 60_000, 'the replicas did not come back');
    await eventually(() => database.feed(options.messages).then(() => true), 60_000, 'the database did not come back');
    await untilSettled(database);
    await recovery.end();
    await Promise.all(replicas.map((replica) => replica.stop()));
    return await collectEvidence({
      policy,
      options,
      home,
      database,
      receiver,
      replicas,
      timeline,
      recovery,
      webhookTimeoutMs: WEBHOOK_TIMEOUT_MS,
      webhookConcurrency: CONCURRENCY,
    });
  } finally {
    clearInterval(ticker);
    await Promise.all(replicas.map((replica) => replica.kill()));
    await receiver.stop();
    await database.close();
  }
}

/**
 * @param {string} url
 * @param {import('./types.js').Policy} policy
 * @param {import('./types.js').Options} options
 */
function liveSettings(url, policy, options) {
  return {
    rate_limit: options.rateLimit,
    scheduler_interval: 1,
    scheduler_workers: WORKERS_PER_REPLICA * options.replicas,
    webhook_url: url,
    webhook_timeout: WEBHOOK_TIMEOUT_MS / 1000,
    webhook_concurrency: CONCURRENCY,
    max_attempts: 100,
    retry_schedule: '1',
    on_uncertain: policy,
  };
}

/**
 * Faults come by requests rather than by time, so that each hits a fleet that sends, however fast the machine is.
 * @param {Receiver} receiver
 * @param {number} requests that more
 */
async function untilArrived(receiver, requests) {
  const deadline = Date.now() + IDLE_MS;
  const enough = (await receiver.stats()).requests + requests;
  while (Date.now() < deadline && (await receiver.stats()).requests < enough) await sleep(20);
}

/** @param {ChaosDatabase} database */
async function untilSettled(database) {
  let before = Infinity;
  let since = Date.now();
  for (;;) {
    const left = await database.unsettled().catch(() => before);
    if (left === 0) return;
    if (left < before) since = Date.now();
    before = left;
    if (Date.now() - since > HOPELESS_MS) return;
    await sleep(200);
  }
}

/**
 * @param {() => boolean | Promise<boolean>} check
 * @param {number} withinMs
 * @param {string} otherwise
 */
async function eventually(check, withinMs, otherwise) {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const ok = await Promise.resolve(check()).catch(() => false);
    if (ok) return;
    if (Date.now() > deadline) throw new Error(`${otherwise} within ${withinMs / 1000} s`);
    await sleep(50);
  }
}
