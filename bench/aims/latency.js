import { backlogSettings, INSERT_MESSAGES } from '../support/backlog.js';
import { receiverLimit } from '../support/arena.js';
import { figure } from '../support/numbers.js';
import { Postgres } from '../support/postgres.js';
import { Product } from '../support/product.js';
import { Receiver } from '../support/receiver.js';
import { startRedis } from '../support/redis.js';
import { steadyRate } from './window.js';

/** @typedef {import('../support/stage.js').Stage} Stage */

const DELAY_MS = 100;
const TIMES = { settleSeconds: 6, seconds: 10 };

/** A receiver that takes 100 ms per request, 256 requests in flight: what arrives, against Little's bound. @param {Stage} stage */
export async function measureLatency(stage) {
  const receiver = await Receiver.start(stage, { delayMs: DELAY_MS });
  const limit = await receiverLimit(receiver, 256);
  const bound = 256 / (DELAY_MS / 1_000);
  const rate = await rateOfFleet(stage, receiver, { replicas: 1, concurrency: 256, messages: bound * 20 });
  const own = `${figure(rate)}/s; the receiver alone (${limit.tool}, 256 connections): ${figure(limit.perSecond)}/s`;
  return [
    { what: `receiver with ${DELAY_MS} ms, 256 at once ÷ ${bound}/s`, value: rate / bound, aim: '≥ 0.95', note: own },
  ];
}

/** Four replicas side by side against one, with the same slow receiver. @param {Stage} stage */
export async function measureReplicas(stage) {
  const receiver = await Receiver.start(stage, { delayMs: DELAY_MS });
  const one = await rateOfFleet(stage, receiver, { replicas: 1, concurrency: 64, messages: 20_000 });
  const four = await rateOfFleet(stage, receiver, { replicas: 4, concurrency: 64, messages: 60_000 });
  const note = `${figure(four)}/s ÷ ${figure(one)}/s`;
  return [{ what: 'four replicas, scheduler_workers 4 ÷ one replica', value: four / one, aim: '≥ 3.6', note }];
}

/**
 * @param {Stage} stage
 * @param {Receiver} receiver
 * @param {{ replicas: number, concurrency: number, messages: number }} fleet
 */
async function rateOfFleet(stage, receiver, { replicas, concurrency, messages }) {
  const redis = await startRedis(stage);
  const server = await Postgres.start(stage);
  const database = await server.database();
  const live = { ...backlogSettings(receiver.url), webhook_concurrency: concurrency, scheduler_workers: replicas };
  const options = { env: { APP_DB_URL: database.url, APP_REDIS_ADDR: redis }, live };
  const fleet = [];
  for (let index = 0; index < replicas; index += 1) fleet.push(await Product.start(stage, options));
  await database.rows(INSERT_MESSAGES, [messages]);
  await database.settle();
  await receiver.forget();
  const [first] = fleet;
  await first?.post('/start');
  const rate = await steadyRate(receiver, async () => await first?.post('/stop'), TIMES);
  await Promise.all(fleet.map((product) => product.end()));
  return rate;
}
