import { Injectable, Logger } from '@nestjs/common';
import { z } from 'zod';
import { RedisConnection } from '../redis.js';

/** What the provider said when it took a message. */
export interface Receipt {
  readonly id: number;
  readonly messageId: string | null;
  /** Milliseconds since 1970. */
  readonly sentAtMs: number;
  /** Which message it was: ids come back where a table was truncated or restored. */
  readonly messageHash: string;
}

const KEPT_SECONDS = 24 * 3600;
/** For a server of PostgreSQL that takes over without the last commits of the one before. */
const KEPT_AFTER_WRITING_SECONDS = 120;
const MESSAGES_PER_SHELF = 1_000;
/**
 * Redis is a second memory, not one to wait for: with so many receipts unanswered, the next ones are not kept. Some 3 MB, a
 * second or two of the fastest receiver; a connection without any answer is given up after 5 s.
 */
const UNANSWERED_MAX = 20_000;
/** What recovery does not learn becomes uncertain, so it waits for Redis, and then for its answer, this long. */
const RECOVERY_PATIENCE_MS = 3_000;
/** A key keeps its expiry when more is written to it; it is set again after so long, for Redis may have lost the key meanwhile. */
const EXPIRY_HOLDS_MS = 1_000;
/** Trouble counts as over when there was none for so long: one node of a Cluster may fail while others answer. */
const CALM_AFTER_MS = 1_000;

/**
 * Receipts in Redis, written before the row is marked: if the marking is lost, recovery finds them and does not send again.
 * Trouble with Redis never fails a delivery; a receipt that cannot be kept is not kept.
 */
@Injectable()
export class DeliveryReceipts {
  private readonly logger = new Logger('DeliveryReceipts');
  private unanswered = 0;
  /** Monotonic; null while receipts are being kept. */
  private failedAt: number | null = null;
  /** The key whose expiry was set last, and when; null: that may have failed. */
  private latestExpiry: { readonly key: string; readonly setAt: number } | null = null;

  constructor(private readonly redis: RedisConnection) {}

  /**
   * Keeps a job's receipts, each for a day at least unless `expireSoon` is called. They are with the connection when this returns, also while Redis is
   * late: what it reads only after this process was killed is kept all the same.
   */
  keep(installationId: string, jobId: number, receipts: readonly Receipt[]): void {
    const client = this.redis.connected;
    if (client === null || receipts.length === 0) return;
    if (this.unanswered > UNANSWERED_MAX) return this.failed(new Error(`${this.unanswered} receipts are unanswered`));
    // No pipeline: it would cost half as much again, and two commands leave one after the other all the same.
    const replies: Promise<unknown>[] = [];
    for (const [shelf, group] of byShelf(receipts)) {
      const key = keyOf(installationId, jobId, shelf);
      replies.push(client.hset(key, `${group[0]?.[0]}-${group.at(-1)?.[0]}`, JSON.stringify(group)));
      if (this.needsExpiry(key)) replies.push(client.expire(key, KEPT_SECONDS));
    }
    void this.watch(receipts.length, Promise.all(replies));
  }

  /** Lets shelves of a job go in two minutes: what they tell is in PostgreSQL. */
  expireSoon(installationId: string, jobId: number, shelves: readonly number[]): void {
    const client = this.redis.connected;
    if (client === null || shelves.length === 0 || this.unanswered > UNANSWERED_MAX) return;
    const keys = shelves.map((shelf) => keyOf(installationId, jobId, shelf));
    // What is written to it from now on is kept for a day again.
    if (this.latestExpiry !== null && keys.includes(this.latestExpiry.key)) this.latestExpiry = null;
    const replies = keys.map((key) => client.expire(key, KEPT_AFTER_WRITING_SECONDS));
    // A Redis without memory or rights for receipts still takes this, so that it tells nothing of them.
    void this.watch(keys.length, Promise.all(replies), false);
  }

  /**
   * The receipts that Redis holds for these messages of a job, given as their ids with their hashes: a receipt of another
   * message that had the id is none. What Redis does not tell in time counts as none, and the log says so.
   */
  async find(
    installationId: string,
    jobId: number,
    wanted: ReadonlyMap<number, string>,
  ): Promise<Map<number, Receipt>> {
    if (this.redis.status === 'off' || wanted.size === 0) return new Map();
    const keys = [...new Set([...wanted.keys()].map(shelfOf))].map((shelf) => keyOf(installationId, jobId, shelf));
    const receipts: Receipt[] = [];
    try {
      for (const [error, texts] of await this.read(keys)) {
        if (error !== null) this.noteUnread(error, jobId);
        else receipts.push(...parse(texts).filter(({ id, messageHash }) => wanted.get(id) === messageHash));
      }
    } catch (error) {
      this.noteUnread(error, jobId);
    }
    return new Map(receipts.map((receipt) => [receipt.id, receipt]));
  }

  /** A command costs as much as the receipts of several messages, and the next ones mostly go to the same key. */
  private needsExpiry(key: string): boolean {
    const now = performance.now();
    const latest = this.latestExpiry;
    if (latest?.key === key && now - latest.setAt < EXPIRY_HOLDS_MS) return false;
    this.latestExpiry = { key, setAt: now };
    return true;
  }

  private async read(keys: readonly string[]): Promise<[error: Error | null, result: unknown][]> {
    await this.redis.waitUntilConnected(RECOVERY_PATIENCE_MS);
    const pipeline = this.redis.connected?.pipeline();
    if (pipeline === undefined) throw new Error('Redis is out of reach');
    for (const key of keys) pipeline.hvals(key);
    return (await within(RECOVERY_PATIENCE_MS, pipeline.exec())) ?? [];
  }

  private noteUnread(error: unknown, jobId: number): void {
    this.logger.warn({ err: error, job: jobId }, 'receipts cannot be read; what was not marked counts as uncertain');
  }

  private async watch(count: number, replies: Promise<unknown>, keepsReceipts = true): Promise<void> {
    this.unanswered += count;
    try {
      await replies;
      if (keepsReceipts) {
        this.redis.noteWrite(true);
        this.succeeded();
      }
    } catch (error) {
      this.redis.noteWrite(false);
      this.latestExpiry = null;
      this.failed(error);
    }
    this.unanswered -= count;
  }

  /** Says once that trouble began. */
  private failed(error: unknown): void {
    if (this.failedAt === null) {
      this.logger.warn(
        { err: error },
        'receipts are not being kept; sending goes on, and only a crash would miss them',
      );
    }
    this.failedAt = performance.now();
  }

  /** Says once that trouble is over. */
  private succeeded(): void {
    if (this.failedAt === null || performance.now() - this.failedAt <= CALM_AFTER_MS) return;
    this.failedAt = null;
    this.logger.log('receipts are being kept again');
  }
}

/** A receipt as it is stored: id, provider's id, sent at, hash of the message. */
const storedReceipt = z.tuple([z.number(), z.string().nullable(), z.number(), z.string()]);
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

/** The shelf of a message's receipt. */
export function shelfOf(messageId: number): number {
  return Math.floor(messageId / MESSAGES_PER_SHELF);
}

function byShelf(receipts: readonly Receipt[]): Map<number, StoredReceipt[]> {
  const shelves = new Map<number, StoredReceipt[]>();
  for (const { id, messageId, sentAtMs, messageHash } of receipts) {
    const shelf = shelfOf(id);
    const stored: StoredReceipt = [id, messageId, sentAtMs, messageHash];
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
      return stored.map(([id, messageId, sentAtMs, messageHash]) => ({ id, messageId, sentAtMs, messageHash }));
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
