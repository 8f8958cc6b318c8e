import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { Postgres } from '../support/postgres.js';
import { Product } from '../support/product.js';
import { QueryCounter } from '../support/query-counter.js';

/** @typedef {import('../support/stage.js').Stage} Stage */

/**
 * The last slot's work is over, and what a start leaves behind is gone: idle connections, and garbage, which V8 of Node.js 24
 * collects once, in 90 ms, when nothing has happened for 100 s.
 */
const QUIET_MS = 120_000;
const EMPTY_SLOTS = 10;
const BUSY = { auto_sending: true, scheduler_interval: 1, webhook_url: 'http://127.0.0.1:9/messages' };

/**
 * A service with nothing to send: what it asks of PostgreSQL between slots and per slot, and its processor time.
 * @param {Stage} stage
 * @param {number} seconds
 */
export async function measureIdle(stage, seconds) {
  const server = await Postgres.start(stage);
  const database = await server.database();
  const counter = await QueryCounter.start(stage, database.url);
  const product = await Product.start(stage, { env: { APP_DB_URL: counter.url }, live: BUSY });
  const slots = async () =>
    Number((await database.row(`SELECT count(*)::int AS slots FROM dispatch_jobs WHERE state = 'done'`))['slots']);
  await eventually('a slot has passed', async () => (await slots()) > 0 || null);
  await sleep(300);
  const before = await slots();
  counter.reset();
  await sleep(EMPTY_SLOTS * 1_000);
  const perSlot = counter.statements / ((await slots()) - before);
  await product.setLive({ ...BUSY, scheduler_interval: 3_600 });
  await sleep(QUIET_MS);
  counter.reset();
  const cpuBefore = await product.cpuMs();
  await sleep(seconds * 1_000);
  const cpuPercent = ((await product.cpuMs()) - cpuBefore) / (seconds * 10);
  const idleMessages = counter.messages;
  return [
    { what: `queries of an idle service between slots, ${seconds} s`, value: idleMessages, aim: '0' },
    { what: `statements per empty slot, over ${EMPTY_SLOTS} slots`, value: perSlot },
    { what: `processor time of an idle service, ${seconds} s`, value: cpuPercent, unit: '%', aim: '≤ 0.2 %' },
  ];
}
