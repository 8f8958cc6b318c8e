import { Injectable, Logger } from '@nestjs/common';
import type { JobHandler } from './job.js';
import { LeadTime } from './lead-time.js';
import type { BegunJob, EndedRun } from './plan.js';
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

type JobKey = Pick<BegunJob, 'id' | 'fence'>;

/**
 * Runs one job at a time on this replica that may make requests, and beside it those that trail. Keeps how each ended until
 * the queue has written that down.
 */
@Injectable()
export class JobRunner {
  private readonly logger = new Logger('Scheduler');
  /** Also those that ended, until `forgetEnded`. */
  private readonly jobs = new Map<RunningJob, EndedRun | null>();
  private readonly runs = new Set<Promise<void>>();
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
    return this.jobs.size === 0;
  }

  /** Whether no job runs here any more, be its end written down or not. */
  get over(): boolean {
    return [...this.jobs.values()].every((ended) => ended !== null);
  }

  /** Whether a job that makes requests may begin here once `ended` is written down. */
  get free(): boolean {
    const { active } = this;
    return active === undefined || this.jobs.get(active) !== null;
  }

  /** The job that may make requests, if all that it waits for hangs. */
  get trailing(): JobKey | null {
    const { active } = this;
    return active !== undefined && active.trails && this.jobs.get(active) === null ? active : null;
  }

  /** Since when each job of this replica has failed; null when the latest one did not. */
  get failsSince(): Date | null {
    return this.failsFrom;
  }

  /** A run that ended and is not yet written down; first that of the job that made requests, which the next one waits for. */
  get ended(): EndedRun | null {
    const { active } = this;
    const first = active === undefined ? null : (this.jobs.get(active) ?? null);
    return first ?? [...this.jobs.values()].find((run) => run !== null) ?? null;
  }

  runsHere(job: JobKey): boolean {
    return [...this.jobs.keys()].some((own) => isSame(own, job));
  }

  /** Takes from the rows of the fleet's jobs which of those here count as tails. */
  noteTails(begun: readonly BegunJob[]): void {
    for (const job of this.jobs.keys()) job.isTail ||= begun.some((row) => row.tail && isSame(row, job));
  }

  /**
   * Begins a job; `onChange` is called when it trails, and once more when it is over. `settlesOnly`: it settles what its former
   * owner left, makes no request, and is given back.
   */
  begin(handler: JobHandler, tenure: Tenure, times: TenureTimes, settlesOnly: boolean, onChange: () => void): void {
    const job: RunningJob = new RunningJob(tenure, times, async () => await this.renew(job), onChange);
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
    this.jobs.set(job, null);
    const run: Promise<void> = this.runToEnd(handler, job, tenure.failures)
      .finally(() => this.runs.delete(run))
      .then(onChange);
    this.runs.add(run);
  }

  /** Lets requests take so long, once that stands where others see it. */
  allowRequests(limitMs: number): void {
    this.requestLimitMs = limitMs;
    const { active } = this;
    if (active === undefined || active.requestLimitMs >= limitMs) return;
    // The next renewal does it otherwise.
    void this.renew(active).catch(() => undefined);
  }

  forgetEnded(ended: JobKey): void {
    for (const [job, run] of this.jobs) if (run !== null && isSame(job, ended)) this.jobs.delete(job);
  }

  /** Lets what is in flight finish and nothing new begin. */
  windDown(): void {
    for (const job of this.jobs.keys()) job.windDown('stopped');
  }

  /** The same for the end of the process, which does not wait for ever: what is still in flight is cut in time. */
  shutDown(): void {
    this.ending = true;
    for (const job of this.jobs.keys()) job.windDown('shutdown');
    this.deadlines = [
      setTimeout(() => this.jobs.forEach((_, job) => job.cutOff('shutdown')), SHUTDOWN_CUT_MS),
      setTimeout(() => this.jobs.forEach((_, job) => job.abandon()), SHUTDOWN_ABANDON_MS),
    ];
  }

  async close(): Promise<void> {
    await Promise.all(this.runs);
    for (const deadline of this.deadlines) clearTimeout(deadline);
  }

  private async renew(job: RunningJob): Promise<boolean> {
    const { requestLimitMs } = this;
    const { held, running } = await this.store.renew(job.id, job.fence, LEASE_MS, requestLimitMs);
    if (held) job.requestLimitMs = Math.max(job.requestLimitMs, requestLimitMs);
    if (held && !running) job.windDown('stopped');
    return held;
  }

  private get active(): RunningJob | undefined {
    return [...this.jobs.keys()].find((job) => !job.isTail);
  }

  private async runToEnd(handler: JobHandler, job: RunningJob, failures: number): Promise<void> {
    const { id, fence } = job;
    let ended: EndedRun;
    try {
      const report = await handler.run(job);
      const { sent, notSent, note } = report;
      if (!job.isTail) this.failsFrom = null;
      // One that was left to others tried nothing.
      if (job.winding.reason !== 'left to others') this.stepBack.ended(report);
      const open = job.resumable || (report.unfinished && !job.winding.aborted);
      ended = { id, fence, state: open ? 'open' : 'done', resumeAfterMs: 0, sent, notSent, note };
    } catch (error) {
      this.failsFrom ??= new Date();
      this.logger.error({ err: error, job: id }, 'a job failed; the schedule goes on');
      // Never done: it may have messages claimed, which only its next owner can settle.
      const resumeAfterMs = Math.min(FIRST_RESUME_MS * 2 ** failures, LONGEST_RESUME_MS);
      ended = { id, fence, state: 'failed', resumeAfterMs, sent: 0, notSent: 0, note: 'failed, see the log' };
    }
    if (job.neededMs !== null) this.lead.measured(job.neededMs);
    this.jobs.set(job, ended);
    await job.end();
  }
}

function isSame(one: JobKey, other: JobKey): boolean {
  return one.id === other.id && one.fence === other.fence;
}
