import { Queue, Worker } from 'bullmq';
import { Countdown, messageOf, poster } from './post.js';

const QUEUE = 'send';
const CHUNK = 5_000;

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
      for (const end = next + count; next < end;) {
        const ids = Array.from({ length: Math.min(CHUNK, end - next) }, (_, index) => next + index);
        await queue.addBulk(ids.map((id) => ({ name: 'send', data: messageOf(id) })));
        next += ids.length;
      }
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
