import { backlogSettings, INSERT_MESSAGES, sendBacklog } from '../support/backlog.js';
import { figure, median } from '../support/numbers.js';
import { Postgres } from '../support/postgres.js';
import { Product } from '../support/product.js';
import { Receiver } from '../support/receiver.js';
import { startRedis } from '../support/redis.js';

/** @typedef {import('../support/stage.js').Stage} Stage */
/** @typedef {import('../support/postgres.js').Database} Database */

/**
 * Fills a database that has its schema with sent messages and the attempts that sent them, a second apart.
 * @param {Database} database
 * @param {number} rows
 */
export async function fillHistory(database, rows) {
  await database.rows(
    `INSERT INTO messages (recipient_phone, content, sent_status, sent_at, message_id, attempts)
     SELECT '+90555' || lpad((n % 10000000)::text, 7, '0'), 'Message number ' || n, TRUE,
       now()::timestamp - ($1::int - n) * interval '1 second', gen_random_uuid()::text, 1
     FROM generate_series(1, $1::int) n`,
    [rows],
  );
  await database.rows(
    `INSERT INTO delivery_attempts (message_id, job_id, started_at, number, duration_ms, http_status, outcome, provider_id)
     SELECT id, 1, sent_at AT TIME ZONE 'UTC', 1, 5, 202, 'accepted', message_id FROM messages WHERE sent_status`,
  );
  await database.settle();
}

/**
 * The same backlog with millions of sent messages in the table and without, in turn.
 * @param {Stage} stage
 * @param {{ messages: number, rounds: number, history: number }} options
 */
export async function measureHistory(stage, { messages, rounds, history }) {
  const receiver = await Receiver.start(stage);
  const redis = await startRedis(stage);
  const server = await Postgres.start(stage);
  /**
   * Each service has a Redis database of its own: the time of the last slot is kept there.
   * @param {number} rows
   * @param {string} redisDb
   */
  const prepare = async (rows, redisDb) => {
    const database = await server.database();
    const env = { APP_DB_URL: database.url, APP_REDIS_ADDR: redis, APP_REDIS_DB: redisDb };
    const product = await Product.start(stage, { env, live: backlogSettings(receiver.url) });
    if (rows > 0) await fillHistory(database, rows);
    return { database, product, rates: /** @type {number[]} */ ([]) };
  };
  const [empty, full] = [await prepare(0, '0'), await prepare(history, '1')];
  for (let round = 0; round <= rounds; round += 1) {
    for (const side of [empty, full]) {
      await side.database.rows(INSERT_MESSAGES, [messages]);
      await side.database.settle();
      await receiver.forget();
      const seconds = await sendBacklog(side.product, side.database, messages);
      await receiver.account(messages);
      // The first round warms both up.
      if (round > 0) side.rates.push(messages / seconds);
    }
  }
  const [without, withHistory] = [median(empty.rates), median(full.rates)];
  return [
    {
      what: `with ${figure(history)} sent rows ÷ with none`,
      value: withHistory / without,
      aim: '≥ 0.95',
      note: `${figure(withHistory)}/s ÷ ${figure(without)}/s, medians of ${rounds}`,
    },
  ];
}
