import { eventually } from '../support/eventually.js';
import { backlogSettings, INSERT_MESSAGES } from '../support/backlog.js';
import { figure, median, percentile } from '../support/numbers.js';
import { Postgres } from '../support/postgres.js';
import { Product } from '../support/product.js';
import { Receiver } from '../support/receiver.js';

/** @typedef {import('../support/stage.js').Stage} Stage */

/**
 * Slots of one second with one message each: when the job began and when the POST arrived, both against the slot's own time.
 * Receiver, service and database share this machine's clock.
 * @param {Stage} stage
 * @param {number} slots
 */
export async function measureSlots(stage, slots) {
  const receiver = await Receiver.start(stage, { plain: true });
  const server = await Postgres.start(stage);
  const database = await server.database();
  const product = await Product.start(stage, {
    env: { APP_DB_URL: database.url },
    live: { ...backlogSettings(receiver.url), rate_limit: 1 },
  });
  await database.rows(INSERT_MESSAGES, [slots]);
  await product.post('/start');
  await eventually(
    `${slots} slots have passed`,
    async () => {
      const { sent } = await database.row('SELECT count(*)::int AS sent FROM messages WHERE sent_status');
      return Number(sent) >= slots || null;
    },
    { withinMs: slots * 1_200 + 30_000, everyMs: 1_000 },
  );
  await product.post('/stop');
  const arrivals = await receiver.arrivals();
  const jobs = await database.rows(
    `SELECT attempt.message_id::text AS message, extract(epoch FROM due_at)::float8 * 1000 AS due,
       extract(epoch FROM job.started_at)::float8 * 1000 AS started
     FROM dispatch_jobs job JOIN delivery_attempts attempt ON attempt.job_id = job.id ORDER BY due_at`,
  );
  const arrivalOf = new Map(arrivals.map(({ at, key }) => [key.slice(key.lastIndexOf('-') + 1), at]));
  const due = jobs.map((job) => Number(job['due']));
  const late = jobs.map((job) => (arrivalOf.get(String(job['message'])) ?? NaN) - Number(job['due']));
  const begun = jobs.map((job) => Number(job['started']) - Number(job['due']));
  if (late.length !== slots || late.some((ms) => Number.isNaN(ms))) throw new Error('a slot has no arrival of its own');
  const drift = (due.at(-1) ?? NaN) - (due[0] ?? NaN) - (slots - 1) * 1_000;
  const tenth = Math.max(1, Math.floor(slots / 10));
  const creep = median(late.slice(-tenth)) - median(late.slice(0, tenth));
  return [
    { what: `POST arrives after its slot, p99 of ${slots} slots of 1 s`, ...lateness(late), aim: '≤ 5 ms' },
    { what: 'job begins after its slot (before it: negative), p99', ...lateness(begun) },
    { what: `drift of the grid over ${slots} slots`, value: drift, unit: 'ms', aim: '0' },
    { what: 'lateness of the last tenth − of the first', value: creep, unit: 'ms' },
  ];
}

/** @param {readonly number[]} values */
function lateness(values) {
  const note = `p50 ${figure(median(values), 1)} ms, max ${figure(Math.max(...values), 1)} ms`;
  return { value: percentile(values, 99), unit: 'ms', note };
}
