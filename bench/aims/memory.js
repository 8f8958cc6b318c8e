import { setTimeout as sleep } from 'node:timers/promises';
import { backlogSettings, INSERT_MESSAGES, sendBacklog } from '../support/backlog.js';
import { figure, median } from '../support/numbers.js';
import { Postgres } from '../support/postgres.js';
import { Product } from '../support/product.js';
import { Receiver } from '../support/receiver.js';
import { startRedis } from '../support/redis.js';

/** @typedef {import('../support/stage.js').Stage} Stage */

const FEW = 1_000;
const SECONDS = 20;

/**
 * Resident memory while 1,000 messages leave per second, with few and with many waiting; and the most that it takes to send
 * all of the many at full speed.
 * @param {Stage} stage
 * @param {number} many
 */
export async function measureMemory(stage, many) {
  const receiver = await Receiver.start(stage);
  const redis = await startRedis(stage);
  const server = await Postgres.start(stage);
  /** @param {number} waiting */
  const open = async (waiting) => {
    const database = await server.database();
    const product = await Product.start(stage, {
      env: { APP_DB_URL: database.url, APP_REDIS_ADDR: redis },
      live: { ...backlogSettings(receiver.url), rate_limit: FEW },
    });
    await database.rows(INSERT_MESSAGES, [waiting]);
    await database.settle();
    return { database, product };
  };
  /** @param {number} waiting */
  const steady = async (waiting) => {
    const { database, product } = await open(waiting);
    await product.post('/start');
    const samples = [];
    for (let second = 0; second < SECONDS; second += 1) {
      await sleep(1_000);
      await database.rows(INSERT_MESSAGES, [FEW]);
      samples.push((await product.memoryMb()).now);
    }
    await product.post('/stop');
    await product.end();
    await database.drop();
    return median(samples.slice(SECONDS / 2));
  };
  const [few, lots] = [await steady(FEW), await steady(many)];
  const { database, product } = await open(many);
  await product.setLive(backlogSettings(receiver.url));
  await sleep(1_000);
  const seconds = await sendBacklog(product, database, many);
  const { peak } = await product.memoryMb();
  return [
    {
      what: `RSS with ${figure(many)} waiting − with ${figure(FEW)}`,
      value: lots - few,
      unit: 'MB',
      aim: '≤ 50 MB',
      note: `${figure(lots)} MB − ${figure(few)} MB; sending all of them at ${figure(many / seconds)}/s it peaked at ${figure(peak)} MB`,
    },
  ];
}
