import { Injectable, Logger } from '@nestjs/common';
import { z } from 'zod';
import { RedisConnection } from '../redis.js';

/** What the provider said when it took a message. */
export interface Receipt {
  readonly id: number;
  readonly messageId: string | null;
  /** Milliseconds since 1970. */
  readonly sentAtMs: number;
}

const KEPT_SECONDS = 24 * 3600;
const MESSAGES_PER_SHELF = 1_000;
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
   * Keeps a job's receipts, each for a day at least. They are with the connection when this returns; what Redis says
   * to them decides only whether the next ones are sent at all.
   */
  keep(installationId: string, jobId: number, receipts: readonly Receipt[]): void {
    const client = this.redis.connected;
    if (client === null || receipts.length === 0 || performance.now() < this.pausedUntil) return;
    // No pipeline: it would cost half as much again, and two commands leave one after the other all the same.
    const replies: Promise<unknown>[] = [];
    for (const [shelf, group] of byShelf(receipts)) {
      const key = keyOf(installationId, jobId, shelf);
      replies.push(
        client.hset(key, `${group[0]?.[0]}-${group.at(-1)?.[0]}`, JSON.stringify(group)),
        client.expire(key, KEPT_SECONDS),
      );
    }
    void this.watch(Promise.all(replies));
  }

  /** The receipts that Redis holds for these messages of a job; what it does not tell in time counts as none. */
  async find(installationId: string, jobId: number, ids: readonly number[]): Promise<Map<number, Receipt>> {
    const client = this.redis.connected;
    if (client === null || ids.length === 0) return new Map();
    const wanted = new Set(ids);
    const pipeline = client.pipeline();
    for (const shelf of new Set(ids.map(shelfOf))) pipeline.hvals(keyOf(installationId, jobId, shelf));
    const replies = await within(RECOVERY_PATIENCE_MS, pipeline.exec()).catch(() => null);
    const receipts = (replies ?? []).flatMap(([error, texts]) => (error === null ? parse(texts) : []));
    return new Map(receipts.filter(({ id }) => wanted.has(id)).map((receipt) => [receipt.id, receipt]));
  }

  private async watch(replies: Promise<unknown>): Promise<void> {
    try {
      await within(PATIENCE_MS, replies);
      this.note(null);
    } catch (error) {
      this.note(error instanceof Error ? error : new Error(String(error)));
    }
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

/** A receipt as it is stored: id, provider's id, sent at. */
const storedReceipt = z.tuple([z.number(), z.string().nullable(), z.number()]);
type StoredReceipt = z.infer<typeof storedReceipt>;

const storedReceipts = z.array(storedReceipt);

/**
 * A hash for each job and each thousand of messages. A field holds what was written at once, named by its first and its
 * last message: many receipts cost hardly more to write than one, recovery reads little beside what it looks for, and what
 * is handed over again and again while PostgreSQL is away takes the place of what it was.
 */
function keyOf(installationId: string, jobId: number, shelf: number): string {
  return `message-dispatcher:{${installationId}}:receipts:${jobId}:${shelf}`;
}

function shelfOf(messageId: number): number {
  return Math.floor(messageId / MESSAGES_PER_SHELF);
}

function byShelf(receipts: readonly Receipt[]): Map<number, StoredReceipt[]> {
  const shelves = new Map<number, StoredReceipt[]>();
  for (const { id, messageId, sentAtMs } of receipts) {
    const shelf = shelfOf(id);
    const stored: StoredReceipt = [id, messageId, sentAtMs];
    const group = shelves.get(shelf);
    if (group === undefined) shelves.set(shelf, [stored]);
    else group.push(stored);
  }
  return shelves;
}

/** What is no receipt is passed over. */
function parse(texts: unknown): Receipt[] {
  if (!Array.isArray(texts)) return [];
  return texts.flatMap((text: unknown) => {
    try {
      const stored = storedReceipts.parse(JSON.parse(String(text)));
      return stored.map(([id, messageId, sentAtMs]) => ({ id, messageId, sentAtMs }));
    } catch {
      return [];
    }
  });
}

/** @throws when it takes too long, too. */
async function within<T>(patienceMs: number, reply: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const impatience = new Promise<never>((_resolve, reject) => {
    const giveUp = () => reject(new Error(`no answer within ${patienceMs} ms`));
    // Timers come before sockets in a turn: after a moment without a processor the answer may be there, and unread.
    timer = setTimeout(() => setImmediate(giveUp), patienceMs);
  });
  try {
    return await Promise.race([reply, impatience]);
  } finally {
    clearTimeout(timer);
  }
}
