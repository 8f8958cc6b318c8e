import { eventually } from './eventually.js';

/** @typedef {import('./postgres.js').Database} Database */
/** @typedef {import('./product.js').Product} Product */

/** Rows as a company writes them: `recipient_phone` and `content`, nothing else. */
export const INSERT_MESSAGES = `
  INSERT INTO messages (recipient_phone, content)
  SELECT '+90555' || lpad((n % 10000000)::text, 7, '0'), 'Message number ' || n FROM generate_series(1, $1::int) n`;

/** One job takes the whole backlog. @param {string} url */
export function backlogSettings(url) {
  return { auto_sending: false, rate_limit: 1_000_000, scheduler_interval: 1, webhook_url: url };
}

/**
 * Has a stopped product send the `count` messages that wait, in one job, and stops it again; the time is the job's own,
 * from its start to the last outcome written, in seconds.
 * @param {Product} product
 * @param {Database} database
 * @param {number} count
 */
export async function sendBacklog(product, database, count) {
  const { last } = await database.row('SELECT coalesce(max(id), 0) AS last FROM dispatch_jobs');
  await product.post('/start');
  const limits = { withinMs: 60_000 + count * 2, everyMs: 50 };
  // A cheap look, four to twenty times a second; counting the rows would compete with what is measured.
  const jobs = await eventually(
    `${count} messages are sent`,
    async () => {
      const { sent, from, to } = await database.row(
        `SELECT coalesce(sum(sent), 0)::int AS sent, extract(epoch FROM min(started_at))::float8 AS from,
           extract(epoch FROM max(finished_at))::float8 AS to
         FROM dispatch_jobs WHERE id > $1 AND sent > 0 AND state = 'done'`,
        [last],
      );
      return Number(sent) >= count ? { from: Number(from), to: Number(to) } : null;
    },
    limits,
  );
  await product.post('/stop');
  const { waiting } = await database.row('SELECT count(*)::int AS waiting FROM messages WHERE NOT sent_status');
  if (waiting !== 0) throw new Error(`${String(waiting)} messages are still unsent: the run does not count`);
  return jobs.to - jobs.from;
}
