import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { LiveConfig } from '../config/live-config.js';
import { databaseFaultOf } from '../database-fault.js';
import { MessageClaims, type ClaimedMessage, type ClaimKey } from '../messages/message-claims.js';
import { RefusedClaims } from '../messages/refused-claims.js';
import { MessageSettlements, type Settlement } from '../messages/message-settlements.js';
import type { StrayClaim } from '../messages/stray-claims.js';
import { IntervalQueue } from '../scheduler/interval-queue.js';
import type { HandlerStatus, Job, JobHandler, JobReport } from '../scheduler/job.js';
import { BatchSize } from './batch-size.js';
import { LockedStretches } from './claim-cursor.js';
import { ClaimSweep } from './claim-sweep.js';
import { ClaimFaults } from './claim-faults.js';
import { ConcurrencyWindow } from './concurrency-window.js';
import { DeliveryReceipts } from './delivery-receipts.js';
import { JobReceipts } from './job-receipts.js';
import { JobRun } from './job-run.js';
import { OutcomeRetry } from './outcome-retry.js';
import { settleOrphan } from './settle-orphan.js';
import { settleReleased } from './settle-outcome.js';
import { BATCH_MAX, Settler } from './settler.js';
import { WebhookClient } from './webhook.client.js';

const CLAIM_MAX = 500;
const CLAIMS_RETRY_MS = 500;
/** So often claims that somebody keeps locked are looked at again before they are left to `OutcomeRetry`. */
const CLAIMS_TRIES = 3;

const NOT_CHANGED = {
  sqlstate: null,
  text: 'the claim of an ended run cannot be changed: another transaction keeps the row locked, or PostgreSQL refuses it',
};

/** The scheduler's handler: spends a job's budget on the oldest messages, each marked by its own outcome. */
@Injectable()
export class Dispatcher implements JobHandler, OnApplicationBootstrap {
  readonly workExists = MessageClaims.WORK_EXISTS;
  readonly window: ConcurrencyWindow;
  private readonly logger = new Logger('Dispatch');
  private readonly stretches = new LockedStretches();
  private readonly sweep: ClaimSweep;
  private saidObstacle: string | null = null;
  private trouble: string | null = null;
  private readonly batchSize = new BatchSize(BATCH_MAX);
  private readonly claimSize = new BatchSize(CLAIM_MAX);

  constructor(
    private readonly queue: IntervalQueue,
    private readonly live: LiveConfig,
    private readonly claims: MessageClaims,
    private readonly settlements: MessageSettlements,
    private readonly client: WebhookClient,
    private readonly receipts: DeliveryReceipts,
    private readonly retry: OutcomeRetry,
    private readonly refused: RefusedClaims,
  ) {
    this.window = new ConcurrencyWindow(() => Math.min(this.live.current.webhookConcurrency, this.client.ceiling.size));
    this.sweep = new ClaimSweep(claims);
  }

  onApplicationBootstrap(): void {
    this.queue.begin(this);
  }

  status(): HandlerStatus {
    return {
      inFlight: this.client.requestsInFlight,
      concurrency: this.window.size,
      concurrencyLimit: Math.min(this.live.current.webhookConcurrency, this.client.ceiling.size),
      trouble: [this.trouble, this.retry.trouble].filter((text) => text !== null).join('; ') || null,
    };
  }

  async run(job: Job): Promise<JobReport> {
    const installationId = await this.claims.open(job);
    const { settlements, retry, batchSize: size, logger } = this;
    retry.jobBegins();
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
    this.saidObstacle = null;

    this.window.reopen(performance.now());
    const { claims, stretches, client, live, window } = this;
    const claimFaults = new ClaimFaults({ refused: this.refused, retry, size: this.claimSize, logger }, job.id);
    const run = new JobRun(job, {
      claims,
      stretches,
      claimFaults,
      client,
      live,
      window,
      logger,
      installationId,
      makeSettler,
    });
    const sweeping = this.sweepClaims(job, installationId);
    await run.toEnd();
    await sweeping;
    if (run.leavesClaims) await this.release(job);
    // There was work, and none of it was to be had: a trigger may silently keep messages from being claimed.
    if (run.note === null && run.tally.sent + run.tally.notSent === 0) {
      await claimFaults.setAside();
      this.sweep.hurry();
    }
    if (!run.isIncomplete) receipts.close();
    run.tally.summarize(run.note);
    this.trouble = run.trouble;
    return { sent: run.tally.sent, notSent: run.tally.notSent, note: run.note };
  }

  /** Settles claims that belong to no job that runs, as what a replica left that went away. */
  private async sweepClaims(job: Job, installationId: string): Promise<void> {
    const { winding, abandoned, correlationId } = job;
    try {
      await this.sweep.goOn(winding, async (strays) => {
        const owners = new Map(strays.map(({ job: id, fence }) => [`${id}/${fence}`, { id, fence }]));
        for (const owner of owners.values()) {
          const orphans = strays.filter((stray) => stray.job === owner.id && stray.fence === owner.fence);
          await this.settleStrays(orphans, { ...owner, winding, abandoned, correlationId }, installationId);
        }
      });
    } catch (error) {
      this.logger.warn(
        { err: error, job: job.id },
        'Cannot look for claims that no job holds; a later job looks again',
      );
    }
  }

  private async settleStrays(
    strays: readonly StrayClaim[],
    owner: ClaimKey & Pick<Job, 'winding' | 'abandoned' | 'correlationId'>,
    installationId: string,
  ): Promise<void> {
    const { settlements, retry, batchSize: size, logger } = this;
    const receipts = new JobReceipts(this.receipts, installationId, owner.id);
    const settler = new Settler({ settlements, retry, receipts, size, job: owner, logger }, () => undefined);
    for (const settlement of await this.orphansSettled(strays, owner, installationId)) settler.add(settlement);
    await settler.drain();
  }

  /**
   * Settles what earlier owners of the job left claimed: by a receipt, if there is one, and as uncertain otherwise. What is
   * locked for long, or refused by PostgreSQL, is settled in `unwritten_outcomes`: the job goes on.
   */
  private async recover(job: Job, installationId: string, settler: Settler): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const left = await this.takeOver(job, installationId, settler);
      if (left === 0) return;
      if (left === 'refused' || tries >= CLAIMS_TRIES) return await this.keepOrphans(job, installationId);
      await sleep(CLAIMS_RETRY_MS, undefined, { signal: job.winding }).catch(() => undefined);
    }
  }

  /** How many are left because they are locked. @throws when PostgreSQL is unreachable. */
  private async takeOver(job: Job, installationId: string, settler: Settler): Promise<number | 'refused'> {
    try {
      const { taken, left } = await this.claims.takeOver(job);
      if (taken.length > 0) {
        for (const settlement of await this.orphansSettled(taken, job, installationId)) settler.add(settlement);
        await settler.drain();
      }
      return left;
    } catch (error) {
      if (databaseFaultOf(error) === 'outage') throw error;
      return 'refused';
    }
  }

  private async keepOrphans(job: Job, installationId: string): Promise<void> {
    const before = { id: job.id, fence: job.fence - 1 };
    for (;;) {
      const open = await this.refused.openClaims(before);
      if (open.length === 0) return;
      const orphans = open.map(({ message }) => message);
      const fences = new Map(open.map(({ message, fence }) => [message.id, fence]));
      const settled = await this.orphansSettled(orphans, job, installationId);
      const entries = settled.map((settlement) => ({
        settlement,
        refusal: NOT_CHANGED,
        fence: fences.get(settlement.id),
      }));
      if ((await this.retry.keep(job, entries)) === 0) throw new Error('another replica owns the job by now');
    }
  }

  private async orphansSettled(
    orphans: readonly ClaimedMessage[],
    job: Pick<Job, 'id' | 'correlationId'>,
    installationId: string,
  ): Promise<Settlement[]> {
    const receipts = await this.receipts.find(
      installationId,
      job.id,
      orphans.map((orphan) => orphan.id),
    );
    const now = { wallMs: Date.now(), monotonicMs: performance.now() };
    const unknown = orphans.length - receipts.size;
    this.logger.warn(
      { 'trace.id': job.correlationId, job: job.id },
      `took over ${orphans.length} messages of a replica that went away: ${receipts.size} were sent, ${unknown} are uncertain ` +
        `(on_uncertain: ${this.live.current.onUncertain})`,
    );
    return orphans.map((orphan) => settleOrphan(orphan, receipts.get(orphan.id) ?? null, this.live.current, now));
  }

  /** Gives back what was claimed and not requested; what is locked for long or refused, by way of `unwritten_outcomes`. */
  private async release(job: Job): Promise<void> {
    for (let tries = 1; !job.abandoned.aborted; tries += 1) {
      try {
        const left = await this.releaseOnce(job);
        if (left === 0) return;
        if (left === 'refused' || tries >= CLAIMS_TRIES) return await this.keepReleases(job);
      } catch {
        // The settler has said that the database is away; these rows have nothing to lose.
      }
      await sleep(CLAIMS_RETRY_MS, undefined, { signal: job.abandoned }).catch(() => undefined);
    }
  }

  private async releaseOnce(job: Job): Promise<number | 'refused'> {
    try {
      return await this.claims.release(job);
    } catch (error) {
      if (databaseFaultOf(error) === 'outage') throw error;
      return 'refused';
    }
  }

  private async keepReleases(job: Job): Promise<void> {
    for (;;) {
      const open = await this.refused.openClaims(job);
      if (open.length === 0) return;
      const entries = open.map(({ message, fence }) => ({
        settlement: settleReleased(message),
        refusal: NOT_CHANGED,
        fence,
      }));
      // None: another replica owns the job by now.
      if ((await this.retry.keep(job, entries)) === 0) return;
    }
  }

  private passWithoutUrl(): JobReport {
    const note = this.live.sendingObstacle ?? 'webhook_url is not set';
    this.trouble = note;
    if (this.saidObstacle !== note) this.logger.warn(`${note}; slots pass without a request until then`);
    this.saidObstacle = note;
    return { sent: 0, notSent: 0, note };
  }
}
