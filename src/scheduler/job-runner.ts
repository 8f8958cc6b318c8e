import { Injectable, Logger } from '@nestjs/common';
import type { JobHandler } from './job.js';
import type { EndedRun } from './plan.js';
import { LeadTime } from './lead-time.js';
import { LEASE_MS, RunningJob, type TenureTimes } from './running-job.js';
import { ScheduleStore, type Tenure } from './schedule-store.js';
import { StepBack } from './step-back.js';

/**
 * After so many failures in a row, each of a run that threw or an owner that vanished, something about the job is wrong: what
 * it has claimed is settled, and it makes no further attempts. An owner that hands it over has not failed.
 */
export const FAILURES_AT_MOST = 5;
/** A job that failed begins again after a second, and after twice as long each time. */
const FIRST_RESUME_MS = 1_000;
const LONGEST_RESUME_MS = 60_000;
/** At shutdown, what is in flight is cut, and what cannot be written down is given up: the process has 15 s in all. */
const SHUTDOWN_CUT_MS = 11_000;
const SHUTDOWN_ABANDON_MS = 12_500;

/** Runs one job at a time on this replica and keeps how it ended until the queue has written that down. */
@Injectable()
export class JobRunner {
  private readonly logger = new Logger('Scheduler');
  private job: RunningJob | null = null;
  private run: Promise<void> = Promise.resolve();
  private endedRun: EndedRun | null = null;
  private deadlines: NodeJS.Timeout[] = [];
  private ending = false;
  private failsFrom: Date | null = null;
  private requestLimitMs = 0;
  /** How much later than others this replica takes jobs, by what its own came to. */
  readonly stepBack = new StepBack();
  /** How long before their time it takes slots, by what its own jobs needed. */
  readonly lead = new LeadTime();

  constructor(private readonly store: ScheduleStore) {}

  /** Whether no job runs here; one that ended counts until `forgetEnded`. */
  get idle(): boolean {
    return this.job === null;
  }

  /** Since when each job of this replica has failed; null when the latest one did not. */
  get failsSince(): Date | null {
    return this.failsFrom;
  }

  /** The run that ended and is not yet written down. */
  get ended(): EndedRun | null {
    return this.endedRun;
  }

  /**
   * Begins a job; `onEnd` is called once, when it is over. `settlesOnly`: it settles what its former owner left, makes no
   * request, and is given back.
   */
  begin(handler: JobHandler, tenure: Tenure, times: TenureTimes, settlesOnly: boolean, onEnd: () => void): void {
    const job: RunningJob = new RunningJob(tenure, times, async () => await this.renew(job));
    if (tenure.failures >= FAILURES_AT_MOST) {
      this.logger.warn(
        { job: tenure.id },
        `job ${tenure.id} has failed ${tenure.failures} times in a row: its run threw, or its replica vanished. It makes no ` +
          'further requests, and its messages go out in later slots',
      );
      job.windDown('worn out');
    }
    // It was granted while the process was told to end: it gives back what it owns, and makes no request.
    if (this.ending) job.windDown('shutdown');
    if (settlesOnly) job.windDown('left to others');
    this.job = job;
    this.run = this.runToEnd(handler, job, tenure.failures).then(onEnd);
  }

  /** Lets requests take so long, once that stands where others see it. */
  allowRequests(limitMs: number): void {
    this.requestLimitMs = limitMs;
    if (this.job === null || this.job.requestLimitMs >= limitMs) return;
    // The next renewal does it otherwise.
    void this.renew(this.job).catch(() => undefined);
  }

  forgetEnded(): void {
    this.endedRun = null;
    this.job = null;
  }

  /** Lets what is in flight finish and nothing new begin. */
  windDown(): void {
    this.job?.windDown('stopped');
  }

  /** The same for the end of the process, which does not wait for ever: what is still in flight is cut in time. */
  shutDown(): void {
    this.ending = true;
    this.job?.windDown('shutdown');
    this.deadlines = [
      setTimeout(() => this.job?.cutOff('shutdown'), SHUTDOWN_CUT_MS),
      setTimeout(() => this.job?.abandon(), SHUTDOWN_ABANDON_MS),
    ];
  }

  async close(): Promise<void> {
    await this.run;
    for (const deadline of this.deadlines) clearTimeout(deadline);
  }

  private async renew(job: RunningJob): Promise<boolean> {
    const { requestLimitMs } = this;
    const { held, running } = await this.store.renew(job.id, job.fence, LEASE_MS, requestLimitMs);
    if (held) job.requestLimitMs = Math.max(job.requestLimitMs, requestLimitMs);
    if (held && !running) job.windDown('stopped');
    return held;
  }

  private async runToEnd(handler: JobHandler, job: RunningJob, failures: number): Promise<void> {
    const { id, fence } = job;
    try {
      const report = await handler.run(job);
      const { sent, notSent, note } = report;
      this.failsFrom = null;
      // One that was left to others tried nothing.
      if (job.winding.reason !== 'left to others') this.stepBack.ended(report);
      const open = job.resumable || (report.unfinished && !job.winding.aborted);
      this.endedRun = { id, fence, state: open ? 'open' : 'done', resumeAfterMs: 0, sent, notSent, note };
    } catch (error) {
      this.failsFrom ??= new Date();
      this.logger.error({ err: error, job: id }, 'a job failed; the schedule goes on');
      // Never done: it may have messages claimed, which only its next owner can settle.
      const resumeAfterMs = Math.min(FIRST_RESUME_MS * 2 ** failures, LONGEST_RESUME_MS);
      this.endedRun = { id, fence, state: 'failed', resumeAfterMs, sent: 0, notSent: 0, note: 'failed, see the log' };
    }
    if (job.neededMs !== null) this.lead.measured(job.neededMs);
    await job.end();
  }
}
