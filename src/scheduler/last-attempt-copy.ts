import { Injectable, Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisConnection } from '../redis.js';

const KEY = 'scheduler_last_attempt_time';
/** Says whose time it is. The braces keep it on the same node of a cluster, so that both are written at once. */
const OWNER_KEY = `{${KEY}}:installation`;
const START_WAIT_MS = 1_000;
/** `Date.parse` alone takes `12` for a day in 2001. */
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/**
 * The time of the last slot, kept in Redis as RFC 3339 under `scheduler_last_attempt_time` beside PostgreSQL.
 * Redis may be absent, down or emptied: nothing waits for it, and the time is written back when it returns. It may be older
 * than the database, or be used by several installations: the time of another one is nobody's business here.
 */
@Injectable()
export class LastAttemptCopy {
  private readonly logger = new Logger('LastAttemptCopy');
  private latest: number | null = null;
  private installationId: string | null = null;
  private saidRefused = false;

  constructor(private readonly redis: RedisConnection) {}

  /**
   * The time that Redis holds for this installation, in milliseconds; null when it holds none, holds nonsense, or is not
   * there within a second. A time that nobody signed counts unless the database is new: it had no slot by then.
   */
  async load(installationId: string, isNew: boolean): Promise<number | null> {
    this.installationId = installationId;
    this.redis.onReady(() => this.write());
    if (!(await this.redis.waitUntilConnected(START_WAIT_MS))) return null;
    const reading = this.redis.connected?.mget(KEY, OWNER_KEY).catch(() => null);
    const [text = null, owner = null] =
      (await Promise.race([reading, sleep(START_WAIT_MS, null, { ref: false })])) ?? [];
    if (text === null) return null;
    if (owner === null ? isNew : owner !== installationId) {
      this.logger.log(
        `Redis holds ${KEY} of another database; going on from the time in PostgreSQL. ` +
          `Where two installations share a Redis, give each its own APP_REDIS_DB`,
      );
      return null;
    }
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
    if (this.latest === null || this.installationId === null) return;
    const time = new Date(this.latest).toISOString();
    this.redis.connected?.mset(KEY, time, OWNER_KEY, this.installationId).catch((error: unknown) => {
      // It went away, which is told elsewhere; or it refuses, which a person must mend.
      if (this.saidRefused || !/^(NOPERM|WRONGTYPE)/.test(String(error instanceof Error ? error.message : error)))
        return;
      this.saidRefused = true;
      this.logger.warn(
        { err: error },
        `Redis refuses to keep the time of the last slot; PostgreSQL has it. Allow MSET of ${KEY} and ${OWNER_KEY}`,
      );
    });
  }
}
