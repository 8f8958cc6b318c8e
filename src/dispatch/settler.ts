import type { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../described-error.js';
import type { ClaimKey, MessageClaims, Settlement } from '../messages/message-claims.js';
import type { DeliveryReceipts } from './delivery-receipts.js';

const BATCH_MAX = 500;
const BATCH_WAIT_MS = 5;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 1_000;
/** Class 22 of SQLSTATE: data that PostgreSQL will never take. */
const DATA_FAULT = /^22/;

/**
 * Writes a job's outcomes in small batches as they come in, receipts first: if the row's marking is lost, recovery finds
 * the receipt. While PostgreSQL is away the outcomes are kept and tried again; they are given up only with the process.
 */
export class Settler {
  private buffer: Settlement[] = [];
  private writing: Promise<void> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private held = false;
  private gaveUp = false;
  private earlyReceipts: Promise<void> = Promise.resolve();

  constructor(
    private readonly claims: MessageClaims,
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
    // The rows wait for the database, perhaps for seconds; the receipts must not, or a crash meanwhile would miss them.
    if (this.held) this.timer ??= setTimeout(() => this.keepReceiptsEarly(), BATCH_WAIT_MS);
    if (this.writing !== null) return;
    if (this.buffer.length >= BATCH_MAX) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), BATCH_WAIT_MS);
  }

  /** Resolves when everything that was added has been written, refused, or given up. */
  async drain(): Promise<void> {
    while (!this.empty) {
      if (this.writing === null) this.flush();
      await this.writing;
    }
    await this.earlyReceipts;
  }

  private flush(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const batch = this.buffer.splice(0, BATCH_MAX);
    if (batch.length === 0) return;
    this.writing = this.write(batch).finally(() => {
      this.writing = null;
      if (this.buffer.length > 0) this.flush();
    });
  }

  private keepReceiptsEarly(): void {
    this.timer = null;
    if (this.writing === null) this.flush();
    else this.earlyReceipts = this.keepReceipts(this.buffer);
  }

  private async write(batch: readonly Settlement[]): Promise<void> {
    await this.keepReceipts(batch);
    const since = performance.now();
    let retryMs = FIRST_RETRY_MS;
    let again = false;
    while (!this.job.abandoned.aborted) {
      try {
        await this.settle(again ? aged(batch, performance.now() - since) : batch, again);
        if (this.held) this.logger.log('the outcomes that were held are written');
        this.held = false;
        this.onWritten(batch);
        return;
      } catch (error) {
        if (!this.held) this.logger.warn({ err: error }, 'outcomes cannot be written; they are held until they can');
        this.held = true;
        again = true;
        // What came in meanwhile waits behind this batch; its receipts need not.
        await this.keepReceipts(this.buffer);
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
      settled = await this.claims.settle(this.job, batch, again);
    } catch (error) {
      if (!DATA_FAULT.test(codeOf(error) ?? '')) throw error;
      this.logger.error(
        { err: error },
        'an outcome holds text that PostgreSQL refuses; outcomes are written without texts',
      );
      settled = await this.claims.settle(this.job, batch.map(withoutTexts), again);
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

  private async keepReceipts(batch: readonly Settlement[]): Promise<void> {
    const now = Date.now();
    const accepted = batch.filter((settlement) => settlement.state === 'sent');
    await this.receipts.keep(
      this.installationId,
      accepted.map(({ id, messageId, agoMs }) => ({ id, messageId, sentAt: new Date(now - agoMs).toISOString() })),
    );
  }
}

/** Outcomes that have waited since they were known. */
function aged(batch: readonly Settlement[], waitedMs: number): Settlement[] {
  return batch.map((settlement) => ({ ...settlement, agoMs: settlement.agoMs + waitedMs }));
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
