import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { LiveConfig } from '../config/live-config.js';
import { MessageClaims, type ClaimedMessage } from '../messages/message-claims.js';
import { MessageSettlements, type Settlement } from '../messages/message-settlements.js';
import { IntervalQueue } from '../scheduler/interval-queue.js';
import type { HandlerStatus, Job, JobHandler, JobReport } from '../scheduler/job.js';
import { BatchSize } from './batch-size.js';
import { LockedStretches } from './claim-cursor.js';
import { ConcurrencyWindow } from './concurrency-window.js';
import { DeliveryReceipts } from './delivery-receipts.js';
import { JobReceipts } from './job-receipts.js';
import { JobRun } from './job-run.js';
import { OutcomeRetry } from './outcome-retry.js';
import { settleOrphan } from './settle-orphan.js';
import { BATCH_MAX, Settler } from './settler.js';
import { WebhookClient } from './webhook.client.js';

const CLAIMS_RETRY_MS = 500;

/** The scheduler's handler: spends a job's budget on the oldest messages, each marked by its own outcome. */
@Injectable()
export class Dispatcher implements JobHandler, OnApplicationBootstrap {
  readonly workExists = MessageClaims.WORK_EXISTS;
  readonly window: ConcurrencyWindow;
  private readonly logger = new Logger('Dispatch');
  private readonly stretches = new LockedStretches();
  private saidNoUrl = false;
  private trouble: string | null = null;
  private readonly batchSize = new BatchSize(BATCH_MAX);

  constructor(
    private readonly queue: IntervalQueue,
    private readonly live: LiveConfig,
    private readonly claims: MessageClaims,
    private readonly settlements: MessageSettlements,
    private readonly client: WebhookClient,
    private readonly receipts: DeliveryReceipts,
    private readonly retry: OutcomeRetry,
  ) {
    this.window = new ConcurrencyWindow(() => this.live.current.webhookConcurrency);
  }

  onApplicationBootstrap(): void {
    this.queue.begin(this);
  }

  status(): HandlerStatus {
    return {
      inFlight: this.client.requestsInFlight,
      concurrency: this.window.size,
      concurrencyLimit: this.live.current.webhookConcurrency,
      trouble: [this.trouble, this.retry.trouble].filter((text) => text !== null).join('; ') || null,
    };
  }

  async run(job: Job): Promise<JobReport> {
    const installationId = await this.claims.open(job);
    const { settlements, retry, batchSize: size, logger } = this;
    const receipts = new JobReceipts(this.receipts, installationId, job.id);
    const makeSettler = (onWritten: (batch: readonly Settlement[]) => void) =>
      new Settler({ settlements, retry, receipts, size, job, logger }, onWritten);
    if (job.fence > 1)
      await this.recover(
        job,
        installationId,
        makeSettler(() => undefined),
      );
    if (this.live.current.webhookUrl === null) return this.passWithoutUrl();
    this.saidNoUrl = false;

    this.window.reopen(performance.now());
    const { claims, stretches, client, live, window } = this;
    const run = new JobRun(job, { claims, stretches, client, live, window, logger, installationId, makeSettler });
    await run.toEnd();
    if (run.leavesClaims) await this.release(job);
    if (!run.isIncomplete) receipts.close();
    run.tally.summarize(run.note);
    this.trouble = run.trouble;
    return { sent: run.tally.sent, notSent: run.tally.notSent, note: run.note };
  }

  /** Settles what earlier owners of the job left claimed: by a receipt, if there is one, and as uncertain otherwise. */
  private async recover(job: Job, installationId: string, settler: Settler): Promise<void> {
    for (;;) {
      const { taken, left } = await this.claims.takeOver(job);
      if (taken.length > 0) await this.settleOrphans(taken, job, installationId, settler);
      if (left === 0) return;
      if (job.winding.aborted) throw new Error(`${left} messages to take over are locked by another transaction`);
      await sleep(CLAIMS_RETRY_MS, undefined, { signal: job.winding }).catch(() => undefined);
    }
  }

  private async settleOrphans(
    orphans: readonly ClaimedMessage[],
    job: Job,
    installationId: string,
    settler: Settler,
  ): Promise<void> {
    const receipts = await this.receipts.find(
      installationId,
      job.id,
      orphans.map((orphan) => orphan.id),
    );
    const now = { wallMs: Date.now(), monotonicMs: performance.now() };
    for (const orphan of orphans) {
      settler.add(settleOrphan(orphan, receipts.get(orphan.id) ?? null, this.live.current, now));
    }
    await settler.drain();
    const unknown = orphans.length - receipts.size;
    this.logger.warn(
      { 'trace.id': job.correlationId, job: job.id },
      `took over ${orphans.length} messages of a replica that went away: ${receipts.size} were sent, ${unknown} are uncertain ` +
        `(on_uncertain: ${this.live.current.onUncertain})`,
    );
  }

  private async release(job: Job): Promise<void> {
    while (!job.abandoned.aborted) {
      try {
        if ((await this.claims.release(job)) === 0) return;
      } catch {
        // The settler has said that the database is away; these rows have nothing to lose.
      }
      await sleep(CLAIMS_RETRY_MS, undefined, { signal: job.abandoned }).catch(() => undefined);
    }
  }

  private passWithoutUrl(): JobReport {
    const note = 'no webhook_url is set';
    this.trouble = note;
    if (!this.saidNoUrl) this.logger.warn(`${note}; slots pass without a request until one is`);
    this.saidNoUrl = true;
    return { sent: 0, notSent: 0, note };
  }
}
