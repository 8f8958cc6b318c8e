import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { figure, median } from '../support/numbers.js';
import { Postgres } from '../support/postgres.js';
import { Product } from '../support/product.js';
import { fillHistory } from './history.js';

const CONNECTIONS = 10;
const SECONDS = 5;

/**
 * `GET /sent`, the first 1,000 of millions, against a bare handler with the same statement and the same JSON, in turn.
 * @param {import('../support/stage.js').Stage} stage
 * @param {{ rounds: number, history: number }} options
 */
export async function measureSent(stage, { rounds, history }) {
  const server = await Postgres.start(stage);
  const database = await server.database();
  const product = await Product.start(stage, { env: { APP_DB_URL: database.url }, live: { auto_sending: false } });
  await fillHistory(database, history);
  const bare = await stage.spawn(process.execPath, [fileURLToPath(new URL('bare-sent.js', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, DATABASE_URL: database.url },
  });
  if (bare.stdout === null) throw new Error('the bare handler has no output');
  const [address] = await once(bare.stdout, 'data');
  const urls = { own: `${product.origin}/sent`, bare: `${String(address).trim()}/sent` };
  const [ownBody, bareBody] = await Promise.all(
    Object.values(urls).map(async (url) => await (await fetch(url)).text()),
  );
  if (ownBody !== bareBody) throw new Error('the two do not answer the same');
  /** @type {{ own: number[], bare: number[] }} */
  const rates = { own: [], bare: [] };
  for (let round = 0; round <= rounds; round += 1) {
    for (const side of /** @type {const} */ (['bare', 'own'])) {
      const { requests, non2xx, errors } = await autocannon({
        url: urls[side],
        connections: CONNECTIONS,
        duration: SECONDS,
      });
      if (non2xx + errors > 0) throw new Error(`${side}: ${non2xx + errors} requests failed`);
      // The first round warms both up.
      if (round > 0) rates[side].push(requests.average);
    }
  }
  const [own, other] = [median(rates.own), median(rates.bare)];
  return [
    {
      what: `GET /sent at ${figure(history)} sent rows ÷ bare Fastify + pg`,
      value: own / other,
      aim: '≥ 0.9',
      note: `${figure(own)}/s ÷ ${figure(other)}/s, 1,000 rows each`,
    },
  ];
}
