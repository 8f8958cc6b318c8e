import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import { Pool } from 'pg';
import { Countdown, messageOf, portions, poster, SOCKETS } from './post.js';

/** A line per job would cost it more than the job; the product, too, logs one line for all. */
const QUIET = new Logger(() => () => undefined);

/**
 * As its documentation on performance advises for many fast jobs: a local queue and batched completion. It deletes a job when it
 * is done and has no place for a result; `stores` adds what a user must, a row with the provider's id.
 * @param {boolean} stores
 * @returns {import('./child.js').Open}
 */
const openWith =
  (stores) =>
  async ({ receiverUrl, databaseUrl }) => {
    const { post, close } = poster(receiverUrl);
    const utils = await makeWorkerUtils({ connectionString: databaseUrl, logger: QUIET });
    await utils.migrate();
    const pool = new Pool({ connectionString: databaseUrl, max: 10 });
    await pool.query('CREATE TABLE sent (id BIGINT PRIMARY KEY, message_id TEXT, sent_at TIMESTAMPTZ DEFAULT now())');
    const countdown = new Countdown();
    let next = 1;
    return {
      async fill(count) {
        for (const ids of portions(next, count)) {
          await utils.addJobs(ids.map((id) => ({ identifier: 'send', payload: messageOf(id) })));
        }
        next += count;
      },
      async run(count) {
        const sent = countdown.from(count);
        const runner = await run({
          taskList: {
            async send(payload) {
              const message = /** @type {import('./post.js').Message} */ (payload);
              const messageId = await post(message);
              if (stores) {
                await pool.query({
                  name: 'store',
                  text: 'INSERT INTO sent (id, message_id) VALUES ($1, $2)',
                  values: [message.id, messageId],
                });
              }
              countdown.done();
            },
          },
          noHandleSignals: true,
          preset: {
            worker: {
              connectionString: databaseUrl,
              concurrentJobs: SOCKETS,
              maxPoolSize: SOCKETS + 2,
              logger: QUIET,
              localQueue: { size: 500 },
              completeJobBatchDelay: 5,
              failJobBatchDelay: 5,
            },
          },
        });
        await sent;
        for (;;) {
          const { rows } = await pool.query('SELECT EXISTS (SELECT FROM graphile_worker._private_jobs) AS "any"');
          if (!rows[0].any) break;
        }
        return async () => await runner.stop();
      },
      async close() {
        await utils.release();
        await pool.end();
        await close();
      },
    };
  };

export const open = openWith(false);
export const openStoring = openWith(true);
