import { setTimeout as sleep } from 'node:timers/promises';
import { backlogSettings, INSERT_MESSAGES, sendBacklog } from '../support/backlog.js';
import { figure } from '../support/numbers.js';
import { Postgres } from '../support/postgres.js';
import { Product } from '../support/product.js';
import { Receiver } from '../support/receiver.js';
import { startRedis } from '../support/redis.js';

/** The server's counters are written by each backend about once a second. */
const COUNTERS_MS = 1_500;

const SIZES = `
  SELECT relname AS name, pg_relation_size(oid)::float8 AS bytes FROM pg_class
  WHERE relname IN ('messages', 'delivery_attempts') OR relname LIKE 'idx\\_messages\\_%' OR relname LIKE 'messages\\_pkey'
  ORDER BY relname`;

/**
 * What a message costs in PostgreSQL: WAL, dead tuples, and the sizes of tables and indexes before and after.
 * @param {import('../support/stage.js').Stage} stage
 * @param {number} messages
 */
export async function measureStorage(stage, messages) {
  const receiver = await Receiver.start(stage);
  const redis = await startRedis(stage);
  const server = await Postgres.start(stage);
  const database = await server.database();
  const product = await Product.start(stage, {
    env: { APP_DB_URL: database.url, APP_REDIS_ADDR: redis },
    live: backlogSettings(receiver.url),
  });
  const walAtStart = await database.walBytes();
  await database.rows(INSERT_MESSAGES, [messages]);
  const walInserted = await database.walBytes();
  await database.settle();
  const sizesBefore = await database.rows(SIZES);
  const before = await counters(database);
  const walBefore = await database.walBytes();
  await sendBacklog(product, database, messages);
  const walAfter = await database.walBytes();
  await sleep(COUNTERS_MS);
  const after = await counters(database);
  const sizesAfter = new Map((await database.rows(SIZES)).map((row) => [row['name'], Number(row['bytes'])]));
  const dead = after.dead - before.dead;
  const hot = (100 * (after.hot - before.hot)) / (after.updated - before.updated);
  return [
    { what: 'WAL per message, inserting it', value: (walInserted - walAtStart) / messages, unit: 'bytes' },
    { what: 'WAL per message, sending it', value: (walAfter - walBefore) / messages, unit: 'bytes' },
    {
      what: 'dead tuples per message after sending, before vacuum',
      value: dead / messages,
      note: `before ${figure(before.dead)}, after ${figure(after.dead)} on ${figure(messages)}; ${figure(hot)} % of the updates were heap-only`,
    },
    ...sizesBefore.map(({ name, bytes }) => ({
      what: `size of ${String(name)} after sending`,
      value: (sizesAfter.get(name) ?? NaN) / 2 ** 20,
      unit: 'MB',
      note: `before: ${figure(Number(bytes) / 2 ** 20, 2)} MB`,
    })),
  ];
}

/** @param {import('../support/postgres.js').Database} database */
async function counters(database) {
  const row = await database.row(
    `SELECT n_dead_tup::float8 AS dead, n_tup_upd::float8 AS updated, n_tup_hot_upd::float8 AS hot
     FROM pg_stat_user_tables WHERE relname = 'messages'`,
  );
  return { dead: Number(row['dead']), updated: Number(row['updated']), hot: Number(row['hot']) };
}
