import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../support/built-local.js';
import { collectEvidence } from '../evidence.js';
import { Etcd } from '../etcd.js';
import { Random } from '../random.js';
import { Receiver } from '../receiver.js';
import { RecoveryWatch } from '../recovery-watch.js';
import { Timeline } from '../timeline.js';
import { Clients } from './clients.js';
import { OrdinaryDatabase } from './database.js';
import { Harms } from './harms.js';
import { API_KEYS } from './keys.js';
import { Operator } from './operator.js';
import { Pauses } from './pauses.js';
import { OrdinaryReplica } from './replica.js';
import { fleetSettings } from './settings.js';
import { Stock } from './stock.js';
import { Watch } from './watch.js';

const INTERVAL_MS = 2_000;
const WEBHOOK_TIMEOUT_MS = 2_000;
const CONCURRENCY = 16;
/** Good and bad ones of each slot together stay below half of the rate, with room for bursts. */
const GOOD_PER_SLOT = 0.1;
const BAD_PER_SLOT = 0.05;
/** Rows that break a constraint which is NOT VALID, stored before it. */
const LEGACY = 300;
const START_MS = 60_000;
const PROGRESS_MS = 5_000;
/** After the last harm, what is good goes out; later is too late in any case. */
const AFTERWARDS_MS = 30_000;

/**
 * The campaign of ordinary life under one policy: a fleet sends good messages while rows, answers, settings, clients, people
 * and disks are as they ordinarily are. Returns what a verdict is made of.
 * @param {import('../campaign.js').Ground} ground
 * @param {import('../types.js').Policy} policy
 * @returns {Promise<import('./types.js').OrdinaryEvidence>}
 */
export async function runOrdinary({ build, folder, postgres, redis, options, say }, policy) {
  const ordinary = options.ordinary;
  if (ordinary === null) throw new Error('--faults ordinary was not asked for');
  const home = join(folder, policy);
  mkdirSync(join(home, 'etcd'), { recursive: true });
  const databaseUrl = await postgres.createDatabase(`ordinary_${policy}`);
  const database = new OrdinaryDatabase(databaseUrl);
  const receiver = await Receiver.start(options.seed);
  const etcd = await Etcd.start(join(home, 'etcd'));
  const settings = fleetSettings(policy, {
    rateLimit: options.rateLimit,
    intervalMs: INTERVAL_MS,
    workers: ordinary.workers,
  });
  for (const [key, value] of Object.entries(settings)) await etcd.put(key, value);
  const env = {
    APP_REMOTE_ETCD_ENDPOINTS: etcd.address,
    APP_API_KEYS: API_KEYS,
    APP_API_RATE_LIMIT: String(ordinary.apiRate),
  };
  const ports = await Promise.all(Array.from({ length: options.replicas }, () => freePort()));
  const replicas = ports.map((port, index) => {
    const live = { webhook_url: receiver.urlFor(index) };
    return new OrdinaryReplica(
      index,
      { build, folder: home, databaseUrl, redisAddress: redis.address, live, env },
      port,
    );
  });
  const random = new Random(options.seed);
  const stock = new Stock(database);
  const operator = new Operator(replicas, random);
  const timeline = new Timeline();
  const pauses = new Pauses(database);
  const recovery = new RecoveryWatch(database);
  const harms = new Harms({
    random,
    timeline,
    stock,
    replicas,
    etcd,
    operator,
    receiver,
    pauses,
    database,
    settings,
    recovery,
    burst: options.rateLimit,
    only: ordinary.harms,
  });
  const watch = new Watch(replicas, database);
  /** @type {Clients | null} */
  let clients = null;
  let startedAt = Date.now();
  const ticker = setInterval(() => void progress().catch(() => undefined), PROGRESS_MS);
  async function progress() {
    const { requests } = await receiver.stats();
    const seconds = Math.round((Date.now() - startedAt) / 1000);
    say(
      `${policy} ${seconds} s: ${timeline.faults.length} harms, ${requests} requests, ${await database.goodLeft()} good ones wait`,
    );
  }
  try {
    for (const replica of replicas) replica.start();
    await until(() => replicas.every(({ listening }) => listening), START_MS, 'the replicas did not start');
    // What lies there already is stored while nothing is sent, as in a system that was stopped for a while.
    await operator.stop();
    await stock.addOld('parked', ordinary.parked);
    await stock.addOld('due', ordinary.due);
    if (happens('legacy-rows')) await stock.add('legacy', LEGACY);
    await database.imposeCompanyRules();
    await database.analyze();
    await operator.start();

    startedAt = Date.now();
    clients = new Clients(replicas, stock, { seed: options.seed, apiRate: ordinary.apiRate });
    const feeding = feedUntil(startedAt + ordinary.seconds * 1000);
    const harmEveryMs = random.between(2_000, 3_500);
    while (Date.now() < startedAt + ordinary.seconds * 1000) {
      harms.next();
      await sleep(harmEveryMs);
    }
    await Promise.all([harms.settled(), feeding]);
    const endedAt = Date.now();
    await clients.end();
    await until(async () => (await database.goodLeft()) === 0, AFTERWARDS_MS, '').catch(() => undefined);
    await recovery.end();
    watch.end();
    const readAt = Date.now();
    await Promise.all(replicas.map((replica) => replica.stop()));
    for (const failure of harms.failures) say(`  a harm that could not be done: ${failure}`);
    return await evidence(startedAt, endedAt, readAt);
  } finally {
    clearInterval(ticker);
    watch.end();
    if (clients !== null) clients.over = true;
    await Promise.all(replicas.map((replica) => replica.kill()));
    await receiver.stop();
    await etcd.stop();
    await database.close();
  }

  /** @param {import('./harms.js').Harm} harm */
  function happens(harm) {
    return ordinary?.harms?.includes(harm) ?? true;
  }

  /** @param {number} end */
  async function feedUntil(end) {
    for (let at = Date.now(); at < end; at += INTERVAL_MS) {
      await sleep(Math.max(0, at - Date.now()));
      await stock.add('good', Math.ceil(GOOD_PER_SLOT * options.rateLimit));
      if (happens('bad-numbers')) await stock.add('bad', Math.ceil(BAD_PER_SLOT * options.rateLimit));
    }
  }

  /**
   * @param {number} from
   * @param {number} endedAt
   * @param {number} readAt
   */
  async function evidence(from, endedAt, readAt) {
    const all = await collectEvidence({
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
    return {
      ...all,
      messages: await database.ordinaryRows([...new Set(all.requests.map(({ n }) => n))]),
      jobs: await database.ordinaryJobs(),
      intervalMs: INTERVAL_MS,
      startedAt: from,
      endedAt,
      readAt,
      rows: stock.rows,
      acts: stock.acts,
      words: operator.words,
      pauses: pauses.pauses,
      vitals: watch.vitals,
      probes: watch.probes,
      readings: watch.readings,
      calls: clients?.calls ?? {},
    };
  }
}

/**
 * @param {() => boolean | Promise<boolean>} check
 * @param {number} withinMs
 * @param {string} otherwise
 */
async function until(check, withinMs, otherwise) {
  const deadline = Date.now() + withinMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`${otherwise} within ${withinMs / 1000} s`);
    await sleep(100);
  }
}
