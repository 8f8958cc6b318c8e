import { backlogSettings, INSERT_MESSAGES, sendBacklog } from '../support/backlog.js';
import { figure, median } from '../support/numbers.js';
import { Postgres } from '../support/postgres.js';
import { Product } from '../support/product.js';
import { Receiver } from '../support/receiver.js';

const ROUNDS = 3;

/**
 * A backlog with `rate_limit` 100000 and `scheduler_interval` 1, the receiver's count deciding whether the round counts.
 * @param {import('../support/stage.js').Stage} stage
 * @param {number} messages
 */
export async function measureBacklog(stage, messages) {
  const receiver = await Receiver.start(stage);
  const server = await Postgres.start(stage);
  const database = await server.database();
  const product = await Product.start(stage, {
    env: { APP_DB_URL: database.url },
    live: { ...backlogSettings(receiver.url), rate_limit: 100_000 },
  });
  const rates = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await database.rows(INSERT_MESSAGES, [messages]);
    await database.settle();
    await receiver.forget();
    const seconds = await sendBacklog(product, database, messages);
    await receiver.account(messages);
    rates.push(messages / seconds);
  }
  const note = `${ROUNDS} rounds: ${rates.map((rate) => figure(rate)).join(', ')}; receiver: ${receiver.name}`;
  return [{ what: `backlog of ${figure(messages)}, messages/s`, value: median(rates), note }];
}
