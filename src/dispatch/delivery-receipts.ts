import { Injectable, Logger } from '@nestjs/common';
import { z } from 'zod';
import { RedisConnection } from '../redis.js';

/** What the provider said when it took a message. */
export interface Receipt {
  readonly id: number;
  readonly messageId: string | null;
  /** RFC 3339, UTC. */
  readonly sentAt: string;
}

const KEPT_SECONDS = 24 * 3600;
/**
 * Redis is a second memory, not one to wait for: one that is slower than this gets a pause, in which nothing is kept.
 * Shorter, and a replica that got no processor for a moment would take its own delay for that of Redis.
 */
const PATIENCE_MS = 1_000;
/** Recovery is rarer, and what it does not learn becomes uncertain. */
const RECOVERY_PATIENCE_MS = 3_000;
const PAUSE_AFTER_TROUBLE_MS = 1_000;

/**
 * Receipts in Redis, written before the row is marked: if the marking is lost, recovery finds them and does not send again.
 * Trouble with Redis never fails a delivery; a receipt that cannot be kept is not kept.
 */
@Injectable()
export class DeliveryReceipts {
  private readonly logger = new Logger('DeliveryReceipts');
  private pausedUntil = 0;
  private troubled = false;

  constructor(private readonly redis: RedisConnection) {}

  /**
   * Keeps a job's receipts, for a day after the last one. They are with the connection when this returns; what Redis says
   * to them decides only whether the next ones are sent at all.
   */
  keep(installationId: string, jobId: number, receipts: readonly Receipt[]): void {
    const client = this.redis.connected;
    if (client === null || receipts.length === 0 || performance.now() < this.pausedUntil) return;
    const key = keyOf(installationId, jobId);
    const fields = receipts.flatMap(({ id, messageId, sentAt }) => [id, JSON.stringify({ messageId, sentAt })]);
    const replies = client.pipeline().hset(key, fields).expire(key, KEPT_SECONDS).exec();
    this.watch(replies).catch(() => undefined);
  }

  /** The receipts that Redis holds for these messages of a job; what it does not tell in time counts as none. */
  async find(installationId: string, jobId: number, ids: readonly number[]): Promise<Map<number, Receipt>> {
    const client = this.redis.connected;
    if (client === null || ids.length === 0) return new Map();
    const key = keyOf(installationId, jobId);
    const texts = await within(RECOVERY_PATIENCE_MS, client.hmget(key, ...ids.map(String)));
    return new Map(
      (texts ?? []).flatMap((text, index) => {
        const id = ids[index];
        const receipt = id === undefined || text === null ? null : parse(id, text);
        return receipt === null ? [] : [[receipt.id, receipt] as const];
      }),
    );
  }

  private async watch(replies: Promise<[Error | null, unknown][] | null>): Promise<void> {
    const results = await within(PATIENCE_MS, replies);
    const failure =
      results === null ? new Error(`no answer within ${PATIENCE_MS} ms`) : results.find(([error]) => error)?.[0];
    this.note(failure ?? null);
  }

  private note(failure: Error | null): void {
    if (failure !== null) this.pausedUntil = performance.now() + PAUSE_AFTER_TROUBLE_MS;
    if (failure !== null && !this.troubled) {
      this.logger.warn(
        { err: failure },
        'receipts are not being kept; sending goes on, and only a crash would miss them',
      );
    }
    if (failure === null && this.troubled) this.logger.log('receipts are being kept again');
    this.troubled = failure !== null;
  }
}

const storedReceipt = z.object({
  messageId: z.string().nullable(),
  sentAt: z.string().refine((text) => !Number.isNaN(Date.parse(text))),
});

/** A hash by message. One key for a whole job: its receipts are written many at a time, which a key for each makes dear. */
function keyOf(installationId: string, jobId: number): string {
  return `message-dispatcher:{${installationId}}:receipts:${jobId}`;
}

function parse(id: number, text: string): Receipt | null {
  try {
    return { id, ...storedReceipt.parse(JSON.parse(text)) };
  } catch {
    return null;
  }
}

/** null when it takes too long or fails as a whole. */
async function within<T>(patienceMs: number, reply: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const impatience = new Promise<null>((resolve) => {
    // Timers come before sockets in a turn: after a moment without a processor the answer may be there, and unread.
    timer = setTimeout(() => setImmediate(resolve, null), patienceMs);
  });
  try {
    return await Promise.race([reply, impatience]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
