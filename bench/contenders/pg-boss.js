import { PgBoss } from 'pg-boss';
import { Countdown, messageOf, portions, poster } from './post.js';

const QUEUE = 'send';

/**
 * Several workers with large batches that fetch on without a pause while batches are full; results are stored per job.
 * @type {import('./child.js').Open}
 */
export async function open({ receiverUrl, databaseUrl }) {
  const { post, close } = poster(receiverUrl);
  const boss = new PgBoss({ connectionString: databaseUrl, max: 20, schedule: false });
  boss.on('error', (error) => process.stderr.write(`${String(error)}\n`));
  await boss.start();
  await boss.createQueue(QUEUE);
  const countdown = new Countdown();
  let next = 1;
  return {
    async fill(count) {
      for (const ids of portions(next, count)) {
        await boss.insert(
          QUEUE,
          ids.map((id) => ({ data: messageOf(id) })),
        );
      }
      next += count;
    },
    async run(count) {
      const sent = countdown.from(count);
      const options = { batchSize: 500, localConcurrency: 4, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true };
      await boss.work(QUEUE, { ...options, perJobResults: true }, async (jobs) => {
        const results = await Promise.all(
          jobs.map(async (job) => {
            const messageId = await post(/** @type {import('./post.js').Message} */ (job.data));
            return { id: job.id, status: /** @type {const} */ ('completed'), output: { messageId } };
          }),
        );
        for (let left = jobs.length; left > 0; left -= 1) countdown.done();
        return results;
      });
      await sent;
      for (;;) {
        const { rows } = await boss
          .getDb()
          .executeSql(
            `SELECT EXISTS (SELECT FROM pgboss.job WHERE name = '${QUEUE}' AND state < 'completed') AS "any"`,
          );
        if (!rows[0].any) break;
      }
      return async () => await boss.offWork(QUEUE);
    },
    async close() {
      await boss.stop({ graceful: false });
      await close();
    },
  };
}
