// npm run bench:config [-- --puts 500 --kills 3 --outage 60]: live settings from a real etcd, as the running service sees them.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { markdownOf } from './report.js';
import { Etcd } from './support/etcd.js';
import { describeMachine } from './support/machine.js';
import { figure, median, percentile } from './support/numbers.js';
import { Postgres } from './support/postgres.js';
import { Product } from './support/product.js';
import { stamp, writeResults } from './support/results.js';
import { onStage } from './support/stage.js';

const KEY = '/app/config/rate_limit';
/** So far apart that one put has long taken effect when the next one comes. */
const PAUSE_MS = 20;

const { values } = parseArgs({
  options: {
    puts: { type: 'string', default: '500' },
    kills: { type: 'string', default: '3' },
    outage: { type: 'string', default: '60' },
  },
});

/** A value that no put before had: what the log then says of it is about this put. */
let last = 1_000;

/**
 * The milliseconds from the put to the service's word that the value is in force, and the part of them that etcd took to answer.
 * @param {Etcd} etcd
 * @param {Product} product
 */
async function putToInForce(etcd, product) {
  last += 1;
  const inForce = product.printed(`→ ${last} (`, 30_000);
  const from = performance.now();
  await etcd.put(KEY, String(last));
  const answered = performance.now();
  return { total: (await inForce) - from, etcd: answered - from };
}

/** @type {import('./report.js').Report} */
const report = { machine: describeMachine(), rows: [] };
await onStage(async (stage) => {
  const etcd = await Etcd.start(stage);
  const server = await Postgres.start(stage);
  const database = await server.database();
  const product = await Product.start(stage, {
    env: { APP_DB_URL: database.url, APP_REMOTE_ETCD_ENDPOINTS: etcd.endpoint },
    live: { auto_sending: false },
  });

  const puts = [];
  for (let put = 0; put < Number(values.puts); put += 1) {
    puts.push(await putToInForce(etcd, product));
    await sleep(PAUSE_MS);
  }
  const totals = puts.map(({ total }) => total);
  report.rows.push({
    what: `put to in force, p99 of ${puts.length} puts`,
    value: percentile(totals, 99),
    unit: 'ms',
    aim: '≤ 20 ms',
    note: `p50 ${figure(median(totals), 1)} ms, max ${figure(Math.max(...totals), 1)} ms; etcd itself answered the put in ${figure(median(puts.map((put) => put.etcd)), 1)} ms (p50)`,
  });

  const reconnects = [];
  for (let kill = 0; kill < Number(values.kills); kill += 1) {
    await etcd.kill();
    await sleep(3_000);
    await etcd.resume();
    reconnects.push((await putToInForce(etcd, product)).total);
  }
  report.rows.push({
    what: 'etcd answers again after kill -9 to a put in force, longest',
    value: Math.max(...reconnects) / 1_000,
    unit: 's',
    aim: '≤ 3 s',
    note: reconnects.map((ms) => `${figure(ms / 1_000, 2)} s`).join(', '),
  });

  const outageSeconds = Number(values.outage);
  const before = product.lines.length;
  await etcd.kill();
  await sleep(outageSeconds * 1_000);
  const lines = product.lines.slice(before);
  await etcd.resume();
  const { total } = await putToInForce(etcd, product);
  report.rows.push({
    what: `lines logged during an outage of ${outageSeconds} s`,
    value: lines.length,
    aim: '≤ 10',
    note: `after it, a put was in force in ${figure(total / 1_000, 2)} s`,
  });
});
await writeResults({ [`${stamp()}-config.json`]: `${JSON.stringify(report, null, 2)}\n` });
process.stdout.write(markdownOf(report));
