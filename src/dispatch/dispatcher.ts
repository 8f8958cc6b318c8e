import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { LiveConfig } from '../config/live-config.js';
import { refusalOf } from '../database-fault.js';
import { OWNERS_OF_A_JOB } from '../fences.js';
import { LAST_SENT, MessageClaims, type ClaimKey } from '../messages/message-claims.js';
import { RefusedClaims } from '../messages/refused-claims.js';
import { MessageSettlements, type Settlement } from '../messages/message-settlements.js';
import type { StrayClaim } from '../messages/stray-claims.js';
import { IntervalQueue } from '../scheduler/interval-queue.js';
import { type HandlerStatus, type Job, type JobHandler, type JobReport, type WorkLook } from '../scheduler/job.js';
import { BatchSize } from '../batch-size.js';
import { ChannelWatch, type Target } from './channel-watch.js';
import { LockedStretches } from './claim-cursor.js';
import { ClaimEndings } from './claim-endings.js';
import { ClockFollower } from './clock-follower.js';
import { ClaimSweep } from './claim-sweep.js';
import { ClaimFaults } from './claim-faults.js';
import { ConcurrencyWindow } from './concurrency-window.js';
import { DeliveryReceipts } from './delivery-receipts.js';
import { HANGING_IN_SILENCE } from './flight.js';
import { Elsewhere } from './elsewhere.js';
import { InvalidParker } from './invalid-parker.js';
import { JobReceipts } from './job-receipts.js';
import { JobRun } from './job-run.js';
import { LockPatience } from './lock-patience.js';
import { OutcomeRetry } from './outcome-retry.js';
import { RefusedStretches } from './refused-stretches.js';
import { BATCH_MAX, Settler } from './settler.js';
import { WebhookClient } from './webhook.client.js';

const NO_URL = 'webhook_url is not set';
const CLAIM_MAX = 500;
/** What a request needs to get through. A change of it may be the cure of any trouble. */
const WAY = ['webhookUrl', 'webhookAuthKey', 'webhookSigningSecrets'] as const;
const ACCEPTED_LATELY_MS = 10_000;
const SETTLED_FOR_ANOTHER = 'its replica went away; its last messages were settled';

type StrayOwner = ClaimKey & Pick<Job, 'winding' | 'abandoned' | 'correlationId'>;

/** The scheduler's handler: spends a job's budget on the oldest messages, each marked by its own outcome. */
@Injectable()
export class Dispatcher implements JobHandler, OnApplicationBootstrap {
  readonly work: WorkLook;
  readonly lastSuccess = LAST_SENT;
  readonly window: ConcurrencyWindow;
  private readonly logger = new Logger('Dispatch');
  private readonly stretches = new LockedStretches();
  private readonly sweep: ClaimSweep;
  private readonly parker: InvalidParker;
  private readonly refusedStretches: RefusedStretches;
  private readonly watch = new ChannelWatch();
  private readonly elsewhere = new Elsewhere();
  private sweepTrouble: string | null = null;
  /** Of the job that makes requests, and of those that trail. */
  private readonly runs = new Set<JobRun>();
  private trouble: string | null = null;
  private troubledTarget: Target | null = null;
  /** Jobs in a row that fared like the one that was logged. */
  private alike = 0;
  private readonly batchSize = new BatchSize(BATCH_MAX);
  private readonly claimSize = new BatchSize(CLAIM_MAX);
  private readonly patience = new LockPatience();
  private readonly claimPatience = new LockPatience();
  private readonly claimTrouble: { text: string | null } = { text: null };

  constructor(
    private readonly queue: IntervalQueue,
    private readonly live: LiveConfig,
    private readonly claims: MessageClaims,
    private readonly settlements: MessageSettlements,
    private readonly client: WebhookClient,
    private readonly receipts: DeliveryReceipts,
    private readonly retry: OutcomeRetry,
    private readonly refused: RefusedClaims,
    private readonly endings: ClaimEndings,
    private readonly clock: ClockFollower,
  ) {
    this.window = new ConcurrencyWindow(() => Math.min(this.live.current.webhookConcurrency, this.client.ceiling.size));
    this.work = claims.work;
    this.sweep = new ClaimSweep(claims);
    this.parker = new InvalidParker(claims, this.logger);
    this.refusedStretches = new RefusedStretches(refused, this.stretches, (found) => retry.notice(found));
  }

  onApplicationBootstrap(): void {
    this.live.onChange(({ keys }) => {
      if (WAY.some((key) => keys.has(key))) this.queue.tryAgain();
    });
    this.queue.begin(this);
  }

  status(): HandlerStatus {
    return {
      inFlight: this.client.requestsInFlight,
      concurrency: this.window.size,
      concurrencyLimit: this.window.ceiling(),
      trouble:
        [this.trouble, this.retry.trouble, this.parker.trouble, this.claims.work.trouble]
          .filter((text) => text !== null)
          .join('; ') || null,
    };
  }

  clockSetBack(): void {
    this.clock.follow();
  }

  /** What hangs may take half of the ceiling, and less while nothing is accepted: then all may hang. */
  hasRoomBeside(): boolean {
    if (this.watch.suspected) return false;
    const most = Math.floor(this.window.ceiling() / 2);
    const isSilent = this.watch.acceptedAgoMs(performance.now()) > ACCEPTED_LATELY_MS;
    return this.client.requestsInFlight <= (isSilent ? Math.min(most, HANGING_IN_SILENCE) : most);
  }

  cannotWork(): string | null {
    const { current, sendingObstacle } = this.live;
    return current.webhookUrl === null ? (sendingObstacle ?? NO_URL) : null;
  }

  forgetTrouble(): void {
    // What the receiver asked for is no trouble.
    if (this.watch.waitUntil(Date.now(), performance.now()) !== null) return;
    this.watch.forget();
    // A setting that is missing is so still, and has been said.
    if (this.cannotWork() === null) this.isNews(null, null);
  }

  async run(job: Job): Promise<JobReport> {
    const installationId = await this.claims.open(job);
    const { settlements, retry, batchSize: size, patience, logger } = this;
    retry.jobBegins();
    const receipts = new JobReceipts(this.receipts, installationId, job.id);
    const makeSettler = (onWritten: (batch: readonly Settlement[]) => void) =>
      new Settler({ settlements, retry, receipts, size, patience, job, logger }, onWritten);
    if (job.fence % OWNERS_OF_A_JOB > 1)
      await this.endings.recover(
        job,
        installationId,
        makeSettler(() => undefined),
      );
    if (job.trails) return { sent: 0, notSent: 0, note: SETTLED_FOR_ANOTHER, way: 'untried', unfinished: false };
    const { webhookUrl, webhookAuthKey } = this.live.current;
    if (retry.isFull) return this.pass(retry.trouble ?? 'outcomes can be written nowhere', null);
    if (webhookUrl === null) return this.pass(this.live.sendingObstacle ?? NO_URL, null);
    const target = this.watch.aim(webhookUrl, webhookAuthKey);
    const waitUntil = this.watch.waitUntil(Date.now(), performance.now());
    const waitNote =
      waitUntil === null ? null : `the receiver asked for no requests until about ${waitUntil} (Retry-After)`;
    if (waitNote !== null && !this.watch.mayTryOthers) return this.pass(waitNote, target);
    this.watch.beginJob(performance.now());
    await this.lookElsewhere(job);

    this.window.reopen(performance.now());
    const { claims, stretches, parker, client, live, window, watch } = this;
    const claimFaults = new ClaimFaults(
      {
        refused: this.refused,
        stretches: this.refusedStretches,
        claims,
        retry,
        size: this.claimSize,
        patience: this.claimPatience,
        told: this.claimTrouble,
        logger,
      },
      job,
    );
    const run: JobRun = new JobRun(job, {
      claims,
      stretches,
      claimFaults,
      parker,
      client,
      live,
      window,
      watch,
      elsewhere: this.elsewhere,
      waitNote,
      logger,
      installationId,
      onRoom: () => this.runs.forEach((other) => other !== run && other.lookAgain()),
      makeSettler,
    });
    this.runs.add(run);
    const beside = [
      this.sweepClaims(job, installationId),
      this.refusedStretches.goOn(job, live.current.schedulerIntervalMs),
    ];
    await run.toEnd().finally(() => this.runs.delete(run));
    await Promise.all(beside);
    await this.lookElsewhere(job);
    if (run.leavesClaims) await this.endings.release(job);
    // There was work, and none of it was to be had, nor was it what others wait for: a trigger may silently keep messages from
    // being claimed. While messages that cannot be sent are being parked, or refused ones are gone through, these are why.
    const isFruitless = run.note === null && run.tally.sent + run.tally.notSent === 0;
    const isExplained = parker.isUnderWay || this.refusedStretches.isUnderWay || this.runs.size > 0;
    if (isFruitless && !isExplained) {
      await claimFaults.setAside();
      this.sweep.hurry();
    }
    if (!run.isIncomplete) receipts.close();
    const trouble = run.trouble ?? (run.tally.sent === 0 ? watch.doubt : null);
    // That one that trailed has sent something is older than the trouble that a job after it met.
    const isOld = job.trails && trouble === null && watch.doubt !== null;
    run.tally.summarize(run.note, trouble, isOld || this.isNews(trouble, target));
    const { sent, notSent } = run.tally;
    const { way } = run;
    const unfinished = way === 'down' && run.trouble !== null && (await this.leavesBudget(job));
    return { sent, notSent, note: run.note, way, unfinished };
  }

  /** Costs nothing while messages get through here. */
  private async lookElsewhere({ winding }: Job): Promise<void> {
    if (winding.aborted) return;
    if (this.watch.doubt === null) return this.elsewhere.forget();
    const newest = await this.claims.lastSentAt().catch(() => null);
    if (newest !== null) this.elsewhere.looked(newest, performance.now());
  }

  /** Its next owner finds out where that cannot be asked. */
  private async leavesBudget(job: Job): Promise<boolean> {
    return await this.claims.leavesBudget(job).catch(() => true);
  }

  /** Settles claims that belong to no job that runs, as what a replica left that went away. */
  private async sweepClaims(job: Job, installationId: string): Promise<void> {
    const { winding, abandoned, correlationId } = job;
    const byOwner = async (
      strays: readonly StrayClaim[],
      act: (orphans: readonly StrayClaim[], owner: StrayOwner) => Promise<unknown>,
    ) => {
      const owners = new Map(strays.map(({ job: id, fence }) => [`${id}/${fence}`, { id, fence }]));
      for (const owner of owners.values()) {
        const orphans = strays.filter((stray) => stray.job === owner.id && stray.fence === owner.fence);
        await act(orphans, { ...owner, winding, abandoned, correlationId });
      }
    };
    try {
      await this.sweep.goOn(
        winding,
        async (strays) =>
          await byOwner(strays, async (orphans, owner) => await this.settleStrays(orphans, owner, installationId)),
        async (strays, refusal) =>
          await byOwner(strays, async (orphans, owner) => {
            const settled = await this.endings.orphansSettled(orphans, owner, installationId);
            await this.retry.keep(
              owner,
              settled.map((settlement) => ({ settlement, refusal })),
            );
          }),
      );
      this.sweepTrouble = null;
    } catch (error) {
      const { text } = refusalOf(error);
      if (this.sweepTrouble === text) return;
      this.sweepTrouble = text;
      this.logger.warn(
        { err: error, job: job.id },
        'Cannot look for claims that no job holds; a later job looks again',
      );
    }
  }

  private async settleStrays(strays: readonly StrayClaim[], owner: StrayOwner, installationId: string): Promise<void> {
    const { settlements, retry, batchSize: size, patience, logger } = this;
    const receipts = new JobReceipts(this.receipts, installationId, owner.id);
    const settler = new Settler({ settlements, retry, receipts, size, patience, job: owner, logger }, () => undefined);
    for (const settlement of await this.endings.orphansSettled(strays, owner, installationId)) settler.add(settlement);
    await settler.drain();
  }

  /** Whether the trouble that a job met is another than that of the job before. What repeats is counted and said when it is over. */
  private isNews(trouble: string | null, target: Target | null): boolean {
    if (trouble !== null && trouble === this.trouble && target === this.troubledTarget) {
      this.alike += 1;
      return false;
    }
    if (this.alike > 0) this.logger.log(`${this.alike} more jobs fared alike: ${this.trouble}`);
    this.alike = 0;
    this.trouble = trouble;
    this.troubledTarget = target;
    return true;
  }

  private pass(note: string, target: Target | null): JobReport {
    if (this.isNews(note, target)) this.logger.warn(`${note}; slots pass without a request until then`);
    return { sent: 0, notSent: 0, note, way: 'untried', unfinished: false };
  }
}
