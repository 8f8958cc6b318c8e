import type { ClaimLook } from '../messages/claim-look.js';
import type { Job } from '../scheduler/job.js';
import type { InvalidParker } from './invalid-parker.js';
import type { JobTally } from './job-tally.js';

/** The longest that a job spends on it beside its other work; one that lasts longer, a quarter of its time. */
const SHARE_MS = 1_000;
const SHARE = 1 / 4;

/** What one job does of the parking of messages that cannot be sent: a share of its time, beside its claims. */
export class JobParking {
  private under: Promise<void> | null = null;
  private usedMs = 0;
  private readonly beganAt = performance.now();
  private readonly shareMs: number;

  constructor(
    private readonly parker: InvalidParker,
    private readonly job: Pick<Job, 'mayBegin'>,
    private readonly tally: Pick<JobTally, 'countInvalid'>,
    intervalMs: number,
  ) {
    this.shareMs = Math.min(SHARE_MS, intervalMs * SHARE);
    parker.tryAgain();
  }

  /** Whether claims are to pass over messages that cannot be sent. */
  get passesOver(): boolean {
    return this.parker.passesOver;
  }

  /** A claim brought one; what lies behind `look` is gone through. */
  met(look: ClaimLook): void {
    this.parker.met(look);
  }

  /** Begins to park, or goes on, if there is something to and the share is not used up. */
  goOn(): void {
    if (this.under !== null || !this.parker.isUnderWay || !this.isWithinShare()) return;
    const startedAt = performance.now();
    const usedBefore = this.usedMs;
    const count = () => {
      this.usedMs = usedBefore + performance.now() - startedAt;
    };
    const mayGoOn = () => {
      count();
      return this.isWithinShare() && this.job.mayBegin();
    };
    this.under = this.parker.goOn(mayGoOn, this.tally).finally(() => {
      count();
      this.under = null;
    });
  }

  /** Resolves when the share is used up, or nothing is left to park. */
  async toEnd(): Promise<void> {
    this.goOn();
    await this.under;
  }

  private isWithinShare(): boolean {
    return this.usedMs < this.shareMs + (performance.now() - this.beganAt) * SHARE;
  }
}
