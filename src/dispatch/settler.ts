import type { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../described-error.js';
import type { ClaimKey } from '../messages/message-claims.js';
import type { MessageSettlements, Settlement } from '../messages/message-settlements.js';
import type { DeliveryReceipts } from './delivery-receipts.js';

const BATCH_MAX = 500;
/** What comes alone is written at once; under load one statement in so many milliseconds is enough, and far cheaper. */
const BATCH_WAIT_MS = 2;
const WRITES_APART_MS = 20;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 1_000;
/** Class 22 of SQLSTATE: data that PostgreSQL will never take. */
const DATA_FAULT = /^22/;

/**
 * Writes a job's outcomes in small batches as they come in. Their receipts go to Redis before that, with `keepReceipts`: if
 * the row's marking is lost, recovery finds the receipt. While PostgreSQL is away the outcomes are kept and tried again;
 * they are given up only with the process.
 */
export class Settler {
  private buffer: Settlement[] = [];
  private unreceipted: Settlement[] = [];
  private writing: Promise<void> | null = null;
  private wroteAt = -Infinity;
  private timer: NodeJS.Timeout | null = null;
  private held = false;
  private gaveUp = false;

  constructor(
    private readonly settlements: MessageSettlements,
    private readonly receipts: DeliveryReceipts,
    private readonly job: ClaimKey & { readonly abandoned: AbortSignal },
    private readonly installationId: string,
    private readonly logger: Logger,
    /** Called after every batch that was written. */
    private readonly onWritten: (batch: readonly Settlement[]) => void,
  ) {}

  /** Whether outcomes were given up, so that their messages must stay claimed for the job's next owner. */
  get incomplete(): boolean {
    return this.gaveUp;
  }

  /** How many outcomes wait to be written. */
  get size(): number {
    return this.buffer.length;
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
    this.handToRedis(this.unreceipted);
    this.unreceipted = [];
  }

  /** Resolves when everything that was added has been written, refused, or given up. */
  async drain(): Promise<void> {
    this.keepReceipts();
    while (!this.empty) {
      if (this.writing === null) this.flush();
      await this.writing;
    }
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

  private async write(batch: readonly Settlement[]): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    let again = false;
    while (!this.job.abandoned.aborted) {
      try {
        await this.settle(batch, again);
        if (this.held) this.logger.log('the outcomes that were held are written');
        this.held = false;
        this.onWritten(batch);
        return;
      } catch (error) {
        if (!this.held) this.logger.warn({ err: error }, 'outcomes cannot be written; they are held until they can');
        this.held = true;
        again = true;
        // Redis may have been away as well when they were handed to it.
        this.handToRedis([...batch, ...this.buffer].filter(isSent));
        await sleep(retryMs, undefined, { signal: this.job.abandoned }).catch(() => undefined);
        retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      }
    }
    this.gaveUp = true;
    this.logger.error(
      `the process ends with ${batch.length} outcomes unwritten; receipts in Redis are all that is left of them`,
    );
  }

  private async settle(batch: readonly Settlement[], again: boolean): Promise<void> {
    let settled: number[];
    try {
      settled = await this.settlements.settle(this.job, batch, again);
    } catch (error) {
      if (!DATA_FAULT.test(codeOf(error) ?? '')) throw error;
      this.logger.error(
        { err: error },
        'an outcome holds text that PostgreSQL refuses; outcomes are written without texts',
      );
      settled = await this.settlements.settle(this.job, batch.map(withoutTexts), again);
    }
    if (settled.length === batch.length) return;
    const missing = batch.length - settled.length;
    this.logger.warn(
      { job: this.job.id, fence: this.job.fence },
      again
        ? `${missing} outcomes had been written before the reply was lost, or were refused`
        : `${missing} outcomes were refused: their messages were deleted or claimed by the job's next owner meanwhile`,
    );
  }

  private handToRedis(sent: readonly Settlement[]): void {
    const wallMinusMonotonicMs = Date.now() - performance.now();
    this.receipts.keep(
      this.installationId,
      this.job.id,
      sent.map(({ id, messageId, knownAt }) => ({
        id,
        messageId,
        sentAtMs: Math.round(wallMinusMonotonicMs + knownAt),
      })),
    );
  }
}

function isSent({ state }: Settlement): boolean {
  return state === 'sent';
}

function withoutTexts(settlement: Settlement): Settlement {
  const { attempt } = settlement;
  return {
    ...settlement,
    messageId: null,
    reason: settlement.reason === null ? null : 'see the log',
    attempt: attempt && { ...attempt, error: null, responseExcerpt: null },
  };
}
