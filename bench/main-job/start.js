import { median } from '../support/numbers.js';
import { eventually } from '../support/eventually.js';
import { Postgres } from '../support/postgres.js';
import { Product } from '../support/product.js';

/** @typedef {import('../support/stage.js').Stage} Stage */

const STARTS = 5;
const FIRST_DELIVERIES = 3;

/** From the start of the process to the line that says that it listens; the database is there and has its schema. @param {Stage} stage */
export async function measureStart(stage) {
  const server = await Postgres.start(stage);
  const database = await server.database();
  const env = { APP_DB_URL: database.url };
  const live = { auto_sending: false };
  await (await Product.start(stage, { env, live })).end();
  /** @type {number[]} */
  const times = [];
  for (let round = 0; round < STARTS; round += 1) {
    const from = performance.now();
    const product = await Product.start(stage, { env, live });
    times.push(performance.now() - from);
    await product.end();
  }
  return [{ what: `cold start to listening, median of ${STARTS}`, value: median(times), unit: 'ms' }];
}

/** From the start of the process in an empty folder, with nothing set, to the first job's report. @param {Stage} stage */
export async function measureDelivery(stage) {
  /** @type {number[]} */
  const times = [];
  for (let round = 0; round < FIRST_DELIVERIES; round += 1) {
    const from = performance.now();
    const product = await Product.launch(stage, { env: { APP_ENV: 'local' } });
    await eventually('a message is delivered', () => product.lines.some((line) => /\d accepted/.test(line)) || null, {
      everyMs: 1,
    });
    times.push(performance.now() - from);
    await product.end();
  }
  const what = `start to first delivered message, empty folder, database made on the way, median of ${FIRST_DELIVERIES}`;
  return [{ what, value: median(times), unit: 'ms' }];
}
