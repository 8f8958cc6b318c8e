import { Injectable, Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisConnection } from '../redis.js';

const KEY = 'scheduler_last_attempt_time';
const START_WAIT_MS = 1_000;
/** `Date.parse` alone takes `12` for a day in 2001. */
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/**
 * The time of the last slot, kept in Redis as RFC 3339 under `scheduler_last_attempt_time` beside PostgreSQL.
 * Redis may be absent, down or emptied: nothing waits for it, and the time is written back when it returns.
 */
@Injectable()
export class LastAttemptCopy {
  private readonly logger = new Logger('LastAttemptCopy');
  private latest: number | null = null;

  constructor(private readonly redis: RedisConnection) {}

  /** The time that Redis holds, in milliseconds; null when it holds none, holds nonsense, or is not there within a second. */
  async load(): Promise<number | null> {
    this.redis.onReady(() => this.write());
    if (!(await this.redis.waitUntilConnected(START_WAIT_MS))) return null;
    const reading = this.redis.connected?.get(KEY).catch(() => null);
    const text = await Promise.race([reading, sleep(START_WAIT_MS, null, { ref: false })]);
    if (text == null) return null;
    const time = RFC_3339.test(text) ? Date.parse(text) : Number.NaN;
    if (!Number.isNaN(time)) return time;
    this.logger.warn(`Redis holds no time under ${KEY}; going on from the time in PostgreSQL`);
    return null;
  }

  /** Writes the time of the last slot, now or when Redis is back. */
  save(lastSlotAt: number | null): void {
    if (lastSlotAt === null || lastSlotAt === this.latest) return;
    this.latest = lastSlotAt;
    this.write();
  }

  private write(): void {
    if (this.latest === null) return;
    this.redis.connected?.set(KEY, new Date(this.latest).toISOString()).catch(() => undefined);
  }
}
