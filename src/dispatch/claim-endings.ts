import { Injectable, Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { LiveConfig } from '../config/live-config.js';
import { databaseFaultOf } from '../database-fault.js';
import { MessageClaims, type ClaimedMessage } from '../messages/message-claims.js';
import type { Settlement } from '../messages/message-settlements.js';
import { RefusedClaims } from '../messages/refused-claims.js';
import type { Job } from '../scheduler/job.js';
import { DeliveryReceipts } from './delivery-receipts.js';
import { messageHash } from './idempotency-key.js';
import { OutcomeRetry } from './outcome-retry.js';
import { settleOrphan } from './settle-orphan.js';
import { settleReleased } from './settle-outcome.js';
import type { Settler } from './settler.js';

const AGAIN_AFTER_MS = 500;
/** So often claims that somebody keeps locked are looked at before they are left to `OutcomeRetry`. */
const TRIES = 3;

const NOT_CHANGED = {
  sqlstate: null,
  text: 'the claim of a run that ended cannot be changed: another transaction keeps the row locked, or PostgreSQL refuses it',
};

type EndingJob = Pick<Job, 'id' | 'fence' | 'correlationId' | 'winding' | 'abandoned'>;

/**
 * Ends the claims of a job for which no outcome is on its way: those of its earlier owners, and those whose turn did not come.
 * A claim that cannot be changed, for a lock or because PostgreSQL refuses it, is settled by way of `unwritten_outcomes`, so
 * that a job always ends.
 */
@Injectable()
export class ClaimEndings {
  private readonly logger = new Logger('Dispatch');

  constructor(
    private readonly claims: MessageClaims,
    private readonly refused: RefusedClaims,
    private readonly retry: OutcomeRetry,
    private readonly receipts: DeliveryReceipts,
    private readonly live: LiveConfig,
  ) {}

  /**
   * Settles what earlier owners of the job left claimed: by a receipt, if there is one, and as uncertain otherwise.
   * @throws when PostgreSQL is unreachable.
   */
  async recover(job: EndingJob, installationId: string, settler: Settler): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const left = await this.takeOver(job, installationId, settler);
      if (left === 0) return;
      if (left === 'refused' || tries >= TRIES) return await this.keepOrphans(job, installationId);
      await sleep(AGAIN_AFTER_MS, undefined, { signal: job.winding }).catch(() => undefined);
    }
  }

  /** Gives back what was claimed and not requested; waits for a PostgreSQL that is unreachable until the process ends. */
  async release(job: EndingJob): Promise<void> {
    for (let tries = 1; !job.abandoned.aborted; tries += 1) {
      try {
        const left = await this.releaseOnce(job);
        if (left === 0) return;
        if (left === 'refused' || tries >= TRIES) return await this.keepReleases(job);
      } catch {
        // The settler has said that the database is away; these rows have nothing to lose.
      }
      await sleep(AGAIN_AFTER_MS, undefined, { signal: job.abandoned }).catch(() => undefined);
    }
  }

  /** The outcomes of messages whose sender went away, by the receipts of its job; says how many there are. */
  async orphansSettled(
    orphans: readonly ClaimedMessage[],
    job: Pick<Job, 'id' | 'correlationId'>,
    installationId: string,
  ): Promise<Settlement[]> {
    const receipts = await this.receipts.find(
      installationId,
      job.id,
      new Map(orphans.map((orphan) => [orphan.id, messageHash(orphan)])),
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

  /** How many are left because they are locked. */
  private async takeOver(job: EndingJob, installationId: string, settler: Settler): Promise<number | 'refused'> {
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

  private async keepOrphans(job: EndingJob, installationId: string): Promise<void> {
    for (;;) {
      const open = await this.refused.openClaims({ id: job.id, fence: job.fence - 1 });
      if (open.length === 0) return;
      const orphans = open.map(({ message }) => message);
      const fences = new Map(open.map(({ message, fence }) => [message.id, fence]));
      const settled = await this.orphansSettled(orphans, job, installationId);
      const entries = settled.map((settlement) => ({
        settlement,
        refusal: NOT_CHANGED,
        fence: fences.get(settlement.id),
      }));
      const { kept, unkept } = await this.retry.keep(job, entries);
      // What can be kept nowhere is in memory: its message stays claimed, and the job goes on.
      if (kept === 0 && unkept.length > 0) return;
      if (kept === 0) throw new Error('another replica owns the job by now');
    }
  }

  private async releaseOnce(job: EndingJob): Promise<number | 'refused'> {
    try {
      return await this.claims.release(job);
    } catch (error) {
      if (databaseFaultOf(error) === 'outage') throw error;
      return 'refused';
    }
  }

  private async keepReleases(job: EndingJob): Promise<void> {
    for (;;) {
      const open = await this.refused.openClaims(job);
      if (open.length === 0) return;
      const entries = open.map(({ message, fence }) => ({
        settlement: settleReleased(message),
        refusal: NOT_CHANGED,
        fence,
      }));
      // None: another replica owns the job by now, or they can be kept nowhere.
      if ((await this.retry.keep(job, entries)).kept === 0) return;
    }
  }
}
