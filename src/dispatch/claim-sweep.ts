import { databaseFaultOf, refusalOf } from '../database-fault.js';
import type { RetryPlace } from '../messages/claim-look.js';
import type { MessageClaims } from '../messages/message-claims.js';
import { TAKEN_ROWS, type StrayClaim } from '../messages/stray-claims.js';
import type { WriteRefusal } from '../messages/unwritten-outcomes.js';
import { BatchSize } from '../batch-size.js';

/** So often everything that may be sent is looked through for claims that nobody holds. */
const SWEEP_INTERVAL_MS = 3_600_000;
/** When work is seen and none of it can be claimed, such claims may be why; they are then looked for at most so often. */
const HURRIED_INTERVAL_MS = 60_000;
/** What a job spends on it; the next one goes on. */
const SWEEP_MS_PER_JOB = 250;

type Position = { readonly fresh: number | null } | { readonly retries: RetryPlace | null };

const BEGIN: Position = { fresh: null };

/**
 * Looks for claims whose job does not run: when the process has started, then once an hour, and when work is seen that no claim
 * gets. In slices, some of them beside each job.
 */
export class ClaimSweep {
  private position: Position | null = BEGIN;
  private begunAt = performance.now();
  private working = false;
  private readonly size = new BatchSize(TAKEN_ROWS, SWEEP_MS_PER_JOB);

  constructor(private readonly claims: Pick<MessageClaims, 'takeStrayFresh' | 'takeStrayRetries'>) {}

  /** Some of the work cannot be claimed: looks soon. */
  hurry(): void {
    if (this.position === null && performance.now() - this.begunAt > HURRIED_INTERVAL_MS) this.begin();
  }

  /**
   * Goes on with the sweep that is due, if one is, until `signal` aborts; `settle` is called with what is found, and `keep` with
   * a claim that PostgreSQL does not let be taken, with the reason. Fewer are taken at once where one is refused or slow.
   * Returns at once while another job goes on with it.
   */
  async goOn(
    signal: AbortSignal,
    settle: (strays: readonly StrayClaim[]) => Promise<void>,
    keep: (stray: readonly StrayClaim[], refusal: WriteRefusal) => Promise<void>,
  ): Promise<void> {
    if (this.working) return;
    this.working = true;
    const until = performance.now() + SWEEP_MS_PER_JOB;
    if (this.position === null && performance.now() - this.begunAt > SWEEP_INTERVAL_MS) this.begin();
    try {
      while (this.position !== null && performance.now() < until && !signal.aborted) {
        const strays = await this.take(this.position, keep);
        if (strays.length > 0) await settle(strays);
      }
    } finally {
      this.working = false;
    }
  }

  private async take(
    position: Position,
    keep: (stray: readonly StrayClaim[], refusal: WriteRefusal) => Promise<void>,
  ): Promise<readonly StrayClaim[]> {
    const startedAt = performance.now();
    try {
      const strays = await this.next(position);
      this.size.succeeded(Math.max(1, strays.length), performance.now() - startedAt);
      return strays;
    } catch (error) {
      const fault = databaseFaultOf(error);
      if (fault === 'outage' || fault === 'denied') throw error;
      const { rows } = this.size;
      this.size.timedOut(fault === 'slow' ? 1 : rows);
      if (rows === 1) await keep(await this.next(position, true), refusalOf(error));
      return [];
    }
  }

  private begin(): void {
    this.position = BEGIN;
    this.begunAt = performance.now();
  }

  private async next(position: Position, isLook = false): Promise<readonly StrayClaim[]> {
    const { rows } = this.size;
    if ('fresh' in position) {
      const { taken, next, again } = await this.claims.takeStrayFresh(position.fresh, rows, isLook);
      this.position = again ? { fresh: next } : { retries: null };
      return taken;
    }
    const { taken, next, again } = await this.claims.takeStrayRetries(position.retries, rows, isLook);
    this.position = again ? { retries: next } : null;
    return taken;
  }
}
