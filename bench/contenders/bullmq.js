import { Queue, Worker } from 'bullmq';
import { Countdown, messageOf, portions, poster } from './post.js';

const QUEUE = 'send';

/** One worker with the concurrency that its documentation calls sensible for I/O (100 to 300); the provider's id is the job's result. @type {import('./child.js').Open} */
export async function open({ receiverUrl, redis }) {
  const { post, close } = poster(receiverUrl);
  const [host = '', port] = redis.split(':');
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const queue = new Queue(QUEUE, { connection });
  await queue.obliterate({ force: true });
  const countdown = new Countdown();
  let next = 1;
  return {
    async fill(count) {
      for (const ids of portions(next, count)) {
        await queue.addBulk(ids.map((id) => ({ name: 'send', data: messageOf(id) })));
      }
      next += count;
    },
    async run(count) {
      const sent = countdown.from(count);
      const worker = new Worker(
        QUEUE,
        async (job) => ({ messageId: await post(/** @type {import('./post.js').Message} */ (job.data)) }),
        { connection, concurrency: 128 },
      );
      worker.on('error', (error) => process.stderr.write(`${String(error)}\n`));
      worker.on('completed', () => countdown.done());
      await sent;
      return async () => await worker.close();
    },
    async close() {
      await queue.close();
      await close();
    },
  };
}
