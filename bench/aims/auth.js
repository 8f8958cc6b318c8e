import { createHash } from 'node:crypto';
import autocannon from 'autocannon';
import { figure, median } from '../support/numbers.js';
import { Postgres } from '../support/postgres.js';
import { Product } from '../support/product.js';

const CONNECTIONS = 10;
const SECONDS = 4;
const SENT_ROWS = 1_000;
const KEY = 'mdk_measured';
// As a service with a few callers has them.
const OTHER_KEYS = 9;

/**
 * Requests per second with keys and a limit in force ÷ without either, in turn, on one database: `GET /sent` of 1,000 rows
 * and of one, and `POST /messages` of one.
 * @param {import('../support/stage.js').Stage} stage
 * @param {{ rounds: number }} options
 */
export async function measureAuth(stage, { rounds }) {
  const database = await (await Postgres.start(stage)).database();
  const live = { auto_sending: false };
  const others = Array.from({ length: OTHER_KEYS }, (_, n) => entryOf(`other-${n}`, `mdk_other-${n}`));
  const env = {
    APP_API_KEYS: [...others, entryOf('measured', KEY)].join(','),
    // Counted, and never reached.
    APP_API_RATE_LIMIT: '1000000000',
  };
  const sides = {
    off: await Product.start(stage, { env: { APP_DB_URL: database.url }, live }),
    on: await Product.start(stage, { env: { APP_DB_URL: database.url, ...env }, live }),
  };
  await database.row(
    `WITH filled AS (INSERT INTO messages (recipient_phone, content, sent_status, sent_at)
       SELECT '+905550000001', 'sent ' || n, TRUE, now() - n * interval '1 s' FROM generate_series(1, $1::int) n RETURNING id)
     SELECT count(*) FROM filled`,
    [SENT_ROWS],
  );
  /** @type {Record<string, { method: 'GET' | 'POST', path: string, body?: string }>} */
  const calls = {
    'GET /sent, 1,000 rows': { method: 'GET', path: '/sent' },
    'GET /sent, one row': { method: 'GET', path: '/sent?limit=1' },
    'POST /messages': {
      method: 'POST',
      path: '/messages',
      body: JSON.stringify({ recipient_phone: '+905550000001', content: 'measured' }),
    },
  };
  const rows = [];
  for (const [what, { path, ...call }] of Object.entries(calls)) {
    /** @type {{ off: number[], on: number[] }} */
    const rates = { off: [], on: [] };
    for (let round = 0; round <= rounds; round += 1) {
      // Whoever comes first in a round comes second in the next.
      /** @type {('off' | 'on')[]} */
      const order = round % 2 === 0 ? ['off', 'on'] : ['on', 'off'];
      for (const side of order) {
        const { requests, non2xx, errors } = await autocannon({
          ...call,
          url: `${sides[side].origin}${path}`,
          headers: {
            ...(call.body && { 'content-type': 'application/json' }),
            ...(side === 'on' && { authorization: `Bearer ${KEY}` }),
          },
          connections: CONNECTIONS,
          duration: SECONDS,
        });
        if (non2xx + errors > 0) throw new Error(`${what}, ${side}: ${non2xx + errors} requests failed`);
        // The first round warms both up.
        if (round > 0) rates[side].push(requests.average);
      }
    }
    const [on, off] = [median(rates.on), median(rates.off)];
    rows.push({
      what: `${what}: with keys and a limit ÷ without`,
      value: on / off,
      aim: '≥ 0.95',
      note: `${figure(on)}/s ÷ ${figure(off)}/s, ${OTHER_KEYS + 1} keys`,
    });
  }
  return rows;
}

/** @param {string} name @param {string} key */
function entryOf(name, key) {
  return `${name}:read+send:${createHash('sha256').update(key).digest('hex')}`;
}
