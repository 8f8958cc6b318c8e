import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAIN, sendPath } from '../support/built.js';
import { messageOf } from './post.js';

/** What PostgreSQL takes for a claim and for a batch of outcomes when it has little else to do. */
const CLAIM_MS = 1;
const SETTLE_MS = 3;

/** @typedef {{ id: number, recipientPhone: string, content: string, createdAt: string, attempts: number }} Claimed */

/**
 * The product's own job (claim, send, classify, settle) with nothing behind it that is durable: messages come from memory
 * and outcomes go nowhere. What it costs more than the bare loop is what the product's code costs. @type {import('./child.js').Open}
 */
export async function open(place) {
  return await openJob(place, { connected: null });
}

/** The same with its receipts in Redis. @type {import('./child.js').Open} */
export async function openWithReceipts(place) {
  /** @type {typeof import('ioredis')} */
  const { Redis } = createRequire(MAIN)('ioredis');
  const [host = '', port] = place.redis.split(':');
  const redis = new Redis({ host, port: Number(port), maxRetriesPerRequest: 0, socketTimeout: 5_000 });
  await redis.ping();
  return await openJob(place, { connected: redis }, () => redis.disconnect());
}

/**
 * @param {import('./child.js').Place} place
 * @param {{ connected: unknown }} redis
 * @param {() => void} [close]
 */
async function openJob({ receiverUrl }, redis, close = () => undefined) {
  const { ConcurrencyWindow, DeliveryReceipts, EgressGuard, JobRun, LiveConfig, Settler, WebhookClient } =
    await sendPath();
  const live = { current: { ...new LiveConfig([]).current, webhookUrl: receiverUrl } };
  const client = new WebhookClient(new EgressGuard({ refusal: () => null }, null), live);
  const window = new ConcurrencyWindow(() => live.current.webhookConcurrency);
  const receipts = new DeliveryReceipts(redis);
  const logger = { log: () => undefined, warn: () => undefined, debug: () => undefined, error: () => undefined };
  const installationId = randomUUID();
  let next = 1;
  let jobs = 0;
  return {
    fill: async () => undefined,
    /** @param {number} count */
    async run(count) {
      const end = next + count;
      const never = new AbortController().signal;
      const job = {
        id: (jobs += 1),
        fence: 1,
        prepared: () => Promise.resolve(),
        correlationId: randomUUID(),
        winding: never,
        cut: never,
        abandoned: never,
        mayBegin: () => true,
      };
      const claims = {
        claim: async (/** @type {unknown} */ _job, /** @type {number} */ limit) => {
          await sleep(CLAIM_MS);
          /** @type {Claimed[]} */
          const claimed = [];
          for (; claimed.length < limit && next < end; next += 1) {
            const { to, content } = messageOf(next);
            claimed.push({ id: next, recipientPhone: to, content, createdAt: '1763900000.123456', attempts: 0 });
          }
          return claimed;
        },
      };
      const settlements = {
        settle: async (/** @type {unknown} */ _job, /** @type {{ id: number }[]} */ batch) => {
          await sleep(SETTLE_MS);
          return batch.map(({ id }) => id);
        },
      };
      const makeSettler = (/** @type {unknown} */ onWritten) =>
        new Settler(settlements, receipts, job, installationId, logger, onWritten);
      await new JobRun(job, { claims, client, live, window, logger, installationId, makeSettler }).toEnd();
    },
    close: async () => {
      close();
      await client.onApplicationShutdown();
    },
  };
}
