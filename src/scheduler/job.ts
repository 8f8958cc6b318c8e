import type { Statement } from '../database.js';
/** A job as its handler sees it: a slot's permission to make up to `budget` attempts. */
export interface Job {
  readonly id: number;
  /** Which owner of the job this is, counted from a number that no other job of this id has had; every write for the job carries it. */
  readonly fence: number;
  readonly dueAt: Date;
  /** Sent to the receiver and found in every log line of the job. */
  readonly correlationId: string;
  /** Aborts when nothing new may begin: sending was stopped, the process ends, or the lease is lost. */
  readonly winding: AbortSignal;
  /** Aborts when what is in flight must be cut as well: another replica may own the job from now on. */
  readonly cut: AbortSignal;
  /** Aborts when the process can wait no longer for what is still to be written down. */
  readonly abandoned: AbortSignal;
  /** How long a request may take at most: what every replica knows of, so that a stop can wait for it. */
  readonly requestLimitMs: number;
  /**
   * Call it when the first request could be made; resolves at the slot's time, or when the job winds down. Until then the job
   * may claim, and makes no request.
   */
  prepared(): Promise<void>;
  /** Whether a request may begin at this very instant; true only while the lease surely holds. */
  mayBegin(): boolean;
  /** Whether the run makes no more requests: it said so, or it took over a job that had come so far. */
  readonly trails: boolean;
  /**
   * Says, once and for good, that the run makes no more requests and only waits for some that hang. From then on `mayBegin` is
   * false, and the next job may begin beside this one.
   */
  trail(): void;
}

/** What a run of a job came to. */
export interface JobReport {
  readonly sent: number;
  readonly notSent: number;
  /** For people: why the job ended early, if it did. */
  readonly note: string | null;
  /**
   * How the handler's way fared in this run: something got through; nothing did, which may have been the work's own fault; it
   * is the way that is in trouble; nothing was tried.
   */
  readonly way: 'works' | 'doubtful' | 'down' | 'untried';
  /** Whether that trouble ended the run before the job's budget was spent, so that the rest may be spent later. */
  readonly unfinished: boolean;
}

/** How the handler of this replica is doing, for people. */
export interface HandlerStatus {
  readonly inFlight: number;
  /** How many requests may be in flight now, and at most. */
  readonly concurrency: number;
  readonly concurrencyLimit: number;
  /** What ended the latest job early; null when nothing did. */
  readonly trouble: string | null;
}

/** How the queue learns, within its own look at the schedule, whether a job would find anything to do. */
export interface WorkLook {
  /** An SQL expression whose parameters are `values()`; its value is for `exists` alone. */
  readonly expression: string;
  values(): readonly unknown[];
  exists(found: unknown): boolean;
}

/** What the queue runs. It is registered once, at start, by the feature that has the work. */
export interface JobHandler {
  /** Evaluated at each look at the schedule. */
  readonly work: WorkLook;
  status(): HandlerStatus;
  /** Tells in one row, as `at`, when a job of any replica last achieved something, in milliseconds since 1970; no row: never. */
  readonly lastSuccess: Statement;
  /** The clock of PostgreSQL may have been set back since it was looked at last: at the start, and after each such jump. */
  clockSetBack(): void;
  /** Whether the next job may begin here while requests of a job that trails hang. */
  hasRoomBeside(): boolean;
  /** Why a job would come to nothing here, while another replica may do it; null when it can be done. */
  cannotWork(): string | null;
  /** What was in the way of earlier jobs may be mended: the next one tries as if it had not been there. */
  forgetTrouble(): void;
  /**
   * Settles what an earlier owner of the job left open, then works until the job's budget is spent, no work is left or
   * `job.winding` aborts. None of its requests is in flight when it resolves. Runs of jobs that trail may go on beside it.
   */
  run(job: Job): Promise<JobReport>;
}
