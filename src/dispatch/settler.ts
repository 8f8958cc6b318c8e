import type { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { databaseFaultOf, refusalOf } from '../database-fault.js';
import type { ClaimKey } from '../messages/message-claims.js';
import type { MessageSettlements, Settlement } from '../messages/message-settlements.js';
import { TableLocked } from '../messages/table-lock.js';
import type { Unwritten } from '../messages/unwritten-outcomes.js';
import type { BatchSize } from '../batch-size.js';
import type { JobReceipts } from './job-receipts.js';
import type { LockPatience } from './lock-patience.js';
import { OutcomeBatch } from './outcome-batch.js';
import type { OutcomeRetry } from './outcome-retry.js';

export const BATCH_MAX = 500;
/** What comes alone is written at once; under load one statement in so many milliseconds is enough, and far cheaper. */
const BATCH_WAIT_MS = 2;
const WRITES_APART_MS = 20;
/** So many outcomes may wait while the database keeps up, and while a write takes longer than it should. */
const WAITING_MAX = 2_000;
const WAITING_WHILE_SLOW_MAX = 100;
const SLOW_WRITE_MS = 1_000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 1_000;
/** A stop or the end of the process waits so long for a database that writes slowly; what is left then is kept elsewhere. */
const HURRY_AFTER_MS = 700;
/** A job ends with so many outcomes that can be written neither to `messages` nor to `unwritten_outcomes`. */
const UNKEPT_MAX = 10;

/** What a settler works with; one object, made by the dispatcher for each job. */
export interface SettlerParts {
  readonly settlements: MessageSettlements;
  /** Takes what PostgreSQL does not write to `messages`. */
  readonly retry: OutcomeRetry;
  readonly receipts: JobReceipts;
  readonly size: BatchSize;
  readonly patience: LockPatience;
  readonly job: ClaimKey & { readonly winding: AbortSignal; readonly abandoned: AbortSignal };
  readonly logger: Logger;
}

/**
 * Writes a job's outcomes in small batches as they come in. Their receipts go to Redis before that, with `keepReceipts`: if
 * the row's marking is lost, recovery finds the receipt. What PostgreSQL refuses, or a lock keeps out, goes to a table of the
 * service's own and holds up nothing. While PostgreSQL is away the outcomes are kept in memory and tried again; they are
 * given up only with the process.
 */
export class Settler {
  private buffer: Settlement[] = [];
  private unreceipted: Settlement[] = [];
  private writing: Promise<void> | null = null;
  private wroteAt = -Infinity;
  private timer: NodeJS.Timeout | null = null;
  private held = false;
  private gaveUp = false;
  private unkept = 0;
  private passed = 0;
  private metOutage = false;
  private draining = false;

  constructor(
    private readonly parts: SettlerParts,
    /** Called after every batch that was written. */
    private readonly onWritten: (batch: readonly Settlement[]) => void,
  ) {}

  /** Whether outcomes were given up or are in memory alone, so that their messages must stay claimed. */
  get incomplete(): boolean {
    return this.gaveUp || this.unkept > 0;
  }

  /** Whether more requests would only add to what PostgreSQL takes nowhere. */
  get isStuck(): boolean {
    return this.unkept >= UNKEPT_MAX;
  }

  /**
   * Whether the database is what limits, so that claiming more would only pile outcomes up: without Redis, a crash leaves
   * each of them in doubt.
   */
  get isCrowded(): boolean {
    const isSlow = this.writing !== null && performance.now() - this.wroteAt > SLOW_WRITE_MS;
    return this.buffer.length >= (isSlow ? WAITING_WHILE_SLOW_MAX : Math.min(WAITING_MAX, 4 * this.parts.size.rows));
  }

  /** Whether everything that was added has been written. */
  get empty(): boolean {
    return this.buffer.length === 0 && this.writing === null;
  }

  add(settlement: Settlement): void {
    this.buffer.push(settlement);
    if (isSent(settlement)) this.unreceipted.push(settlement);
    if (this.writing === null) this.flushInTime();
  }

  /**
   * Hands the receipts of what was accepted since the last call to Redis. Without waiting for an answer: once handed to the
   * connection they survive this process. Nothing more is requested before, so that what a crash leaves in doubt is never
   * more than may be in flight at once.
   */
  keepReceipts(): void {
    if (this.unreceipted.length === 0) return;
    this.parts.receipts.keep(this.unreceipted);
    this.unreceipted = [];
  }

  /** Resolves when everything that was added has been written, kept elsewhere, refused as late, or given up. */
  async drain(): Promise<void> {
    this.keepReceipts();
    this.draining = true;
    while (!this.empty) {
      if (this.writing === null) this.flush();
      await this.writing;
    }
    this.draining = false;
    this.sayPassed();
  }

  /** At once when there is a whole batch, else when it is time for the next one. */
  private flushInTime(): void {
    const waitMs = Math.max(BATCH_WAIT_MS, this.wroteAt + WRITES_APART_MS - performance.now());
    if (this.buffer.length >= BATCH_MAX) this.flush();
    else if (this.buffer.length > 0) this.timer ??= setTimeout(() => this.flush(), waitMs);
  }

  private flush(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const batch = this.buffer.splice(0, BATCH_MAX);
    if (batch.length === 0) return;
    this.wroteAt = performance.now();
    this.writing = this.write(batch).finally(() => {
      this.writing = null;
      this.flushInTime();
    });
  }

  private async write(outcomes: readonly Settlement[]): Promise<void> {
    const { job, receipts, retry } = this.parts;
    const batch = new OutcomeBatch(this.parts, job, outcomes, false);
    const unwritten: Unwritten[] = [];
    let retryMs = FIRST_RETRY_MS;
    while (!job.abandoned.aborted) {
      try {
        await this.writeAll(batch, unwritten);
        if (this.held) this.parts.logger.log('the outcomes that were held are written');
        this.held = false;
        retry.hold(this, null);
        this.onWritten(outcomes);
        return;
      } catch (error) {
        const fault = databaseFaultOf(error);
        const reason = error instanceof TableLocked ? error.message : refusalOf(error).text;
        const isLock = fault === 'locked' || error instanceof TableLocked;
        // At the end of a job nobody can wait for a lock, and what is only read of `messages` is not kept out by most of them.
        const passes = fault === 'outage' || (isLock && !job.winding.aborted);
        if (!passes && batch.left.length > 0) {
          unwritten.push(...batch.takeRest(reason));
          continue;
        }
        if (!this.held)
          this.parts.logger.warn({ err: error }, `outcomes cannot be written; they are held until they can: ${reason}`);
        this.held = true;
        retry.hold(this, fault === 'outage' ? 'PostgreSQL is unreachable' : reason);
        // Redis may have been away as well when they were handed to it.
        receipts.keepAgain([...outcomes, ...this.buffer].filter(isSent));
        await sleep(retryMs, undefined, { signal: job.abandoned }).catch(() => undefined);
        retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      }
    }
    this.gaveUp = true;
    retry.hold(this, null);
    this.parts.logger.error(
      `the process ends with ${batch.left.length + unwritten.length} outcomes unwritten; receipts in Redis are all that is left of them`,
    );
  }

  /** @throws when PostgreSQL is unreachable, or a table is locked; `batch` and `unwritten` hold what is left. */
  private async writeAll(batch: OutcomeBatch, unwritten: Unwritten[]): Promise<void> {
    const startedAt = performance.now();
    while (batch.left.length > 0) {
      if (this.parts.job.abandoned.aborted) throw new Error('the process can wait no longer');
      if (this.isInHurry(startedAt)) {
        unwritten.push(...batch.takeRest('the database writes so slowly that the end of the job cannot wait for it'));
        break;
      }
      const wasReduced = this.parts.size.isReduced;
      const step = await batch.step();
      if (this.parts.size.isReduced && !wasReduced) this.saySlow([...batch.left, ...this.buffer]);
      unwritten.push(...step.unwritten);
      this.parts.receipts.settled(step.written);
      this.passed += step.passed.length;
      this.metOutage ||= this.held && step.passed.length > 0;
    }
    if (unwritten.length === 0) return;
    const { unkept } = await this.parts.retry.keep(this.parts.job, unwritten);
    this.unkept += unkept.length;
    this.parts.receipts.keepAgain(unkept.map(({ settlement }) => settlement).filter(isSent));
    const nowhere = new Set(unkept.map(({ settlement }) => settlement));
    const done = unwritten.splice(0).filter(({ settlement }) => !nowhere.has(settlement));
    this.parts.receipts.settled(done.map(({ settlement }) => settlement));
  }

  private isInHurry(startedAt: number): boolean {
    return (
      this.draining &&
      this.parts.job.winding.aborted &&
      this.parts.size.isReduced &&
      performance.now() - startedAt > HURRY_AFTER_MS
    );
  }

  private saySlow(waiting: readonly Settlement[]): void {
    this.parts.logger.warn(
      { job: this.parts.job.id, rows: this.parts.size.rows },
      'PostgreSQL takes long to write outcomes; fewer of them are written at once, and claiming waits for that',
    );
    // Redis may have been away when they were handed to it.
    this.parts.receipts.keepAgain(waiting.filter(isSent));
  }

  /** Once a job: a trigger that moves away what is sent makes it all of its messages. */
  private sayPassed(): void {
    const { passed } = this;
    if (passed === 0) return;
    this.passed = 0;
    const { id, fence } = this.parts.job;
    this.parts.logger.warn(
      { job: id, fence },
      this.metOutage
        ? `${passed} outcomes had been written before the reply was lost, or were refused`
        : `${passed} outcomes were refused: their messages were deleted or claimed by the job's next owner meanwhile`,
    );
  }
}

function isSent({ state }: Settlement): boolean {
  return state === 'sent';
}
