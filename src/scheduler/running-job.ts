import { randomUUID } from 'node:crypto';
import type { Job } from './job.js';
import type { Tenure } from './schedule-store.js';
import { WakeSignal } from './wake-signal.js';

/** How long a job belongs to a replica that does not renew: so long a crash keeps its messages back. */
export const LEASE_MS = 10_000;
export const RENEWAL_MS = 3_000;
/** A timer that comes so late did not come late by chance: the process stood still. */
export const STOOD_STILL_MS = 1_000;
/** What a renewal is given after such a time, before what is in flight is cut: answers may lie unread in the sockets. */
const REPRIEVE_MS = 1_000;
/** The owner lets go this much before the database does. */
const LETTING_GO_MS = 500;

/** Points of the monotonic clock, in milliseconds, and what was written down with them. */
export interface TenureTimes {
  /** When the look at the schedule began that this job was taken after. */
  readonly takenFrom: number;
  /** Before the lease was asked for, so that this side's idea of its end is never later than the database's. */
  readonly grantedFrom: number;
  /** Not before the slot's time. */
  readonly dueFrom: number;
  /** How long requests may take at most. */
  readonly requestLimitMs: number;
}

/** Why a run ends before its budget is spent. */
export type WindingReason = 'stopped' | 'shutdown' | 'lease lost' | 'worn out' | 'left to others';

/**
 * A job while this replica runs it: renews the lease, and aborts the run when the lease cannot be renewed in time or has
 * passed to another replica.
 */
export class RunningJob implements Job {
  readonly id: number;
  readonly fence: number;
  readonly dueAt: Date;
  readonly correlationId = randomUUID();
  private readonly windingDown = new AbortController();
  private readonly cutting = new AbortController();
  private readonly abandoning = new AbortController();
  readonly winding = this.windingDown.signal;
  readonly cut = this.cutting.signal;
  readonly abandoned = this.abandoning.signal;
  private readonly due: Promise<void>;
  private readonly takenFrom: number;
  private preparedIn: number | null = null;
  requestLimitMs: number;
  /** Whether the job's row says that it trails; the row is what counts for the fleet. */
  isTail: boolean;
  private onlyWaits: boolean;
  private holdsUntil: number;
  /** The same on the wall clock, which, unlike the monotonic one, runs on while a machine is suspended. */
  private wallLimit: number;
  private timer: NodeJS.Timeout;
  private renewal: Promise<void> = Promise.resolve();

  constructor(
    tenure: Tenure,
    { takenFrom, grantedFrom, dueFrom, requestLimitMs }: TenureTimes,
    private readonly renew: () => Promise<boolean>,
    private readonly onTrail: () => void = () => undefined,
  ) {
    this.isTail = tenure.tail;
    this.onlyWaits = tenure.tail;
    this.id = tenure.id;
    this.fence = tenure.fence;
    this.dueAt = tenure.dueAt;
    this.requestLimitMs = requestLimitMs;
    this.takenFrom = takenFrom;
    this.holdsUntil = grantedFrom + LEASE_MS - LETTING_GO_MS;
    this.wallLimit = Date.now() + this.holdsUntil - performance.now();
    this.timer = this.renewAfter(RENEWAL_MS);
    const alarm = new WakeSignal();
    this.winding.addEventListener('abort', () => alarm.wake());
    this.due = alarm.waitUntil(dueFrom).then(() => undefined);
  }

  prepared(): Promise<void> {
    this.preparedIn ??= performance.now() - this.takenFrom;
    return this.due;
  }

  /** How long the job needed until it could make its first request; null: it never could. */
  get neededMs(): number | null {
    return this.preparedIn;
  }

  mayBegin(): boolean {
    return !this.onlyWaits && !this.winding.aborted && this.leaseHolds;
  }

  get trails(): boolean {
    return this.onlyWaits;
  }

  trail(): void {
    if (this.onlyWaits) return;
    this.onlyWaits = true;
    this.onTrail();
  }

  /** Lets what is in flight finish and nothing new begin. */
  windDown(reason: WindingReason): void {
    this.windingDown.abort(reason);
  }

  /** Cuts what is in flight. */
  cutOff(reason: WindingReason): void {
    this.windingDown.abort(reason);
    this.cutting.abort(reason);
  }

  /** Gives up what is not written down yet. */
  abandon(): void {
    this.abandoning.abort();
  }

  /**
   * Whether the job must go on under its next owner: what is left of its budget may still be spent, or something was given
   * up unwritten. The latter counts whatever the run was wound down for before; a job that is done is looked at by nobody.
   * Of one that trails, the end of the process leaves nothing to go on with.
   */
  get resumable(): boolean {
    if (this.abandoned.aborted) return true;
    if (!this.winding.aborted) return !this.leaseHolds;
    const reason: unknown = this.winding.reason;
    const isLeft = reason === 'lease lost' || reason === 'left to others';
    return isLeft || (reason === 'shutdown' && !this.onlyWaits);
  }

  /** Ends the renewal; call it when the run is over. */
  async end(): Promise<void> {
    this.holdsUntil = 0;
    clearTimeout(this.timer);
    await this.renewal;
  }

  private get leaseHolds(): boolean {
    return performance.now() < this.holdsUntil && Date.now() < this.wallLimit;
  }

  private renewAfter(delayMs: number): NodeJS.Timeout {
    const dueAt = performance.now() + delayMs;
    return setTimeout(() => {
      this.renewal = this.keepLease(performance.now() - dueAt);
    }, delayMs);
  }

  private async keepLease(lateMs: number): Promise<void> {
    const askedAt = performance.now();
    const askedAtWall = Date.now();
    const patienceMs = Math.max(this.holdsUntil - askedAt, lateMs > STOOD_STILL_MS ? REPRIEVE_MS : 0);
    let answered = false;
    // Timers come before sockets in a turn: after a moment without a processor the answer may be there, and unread.
    const giveUp = () => setImmediate(() => answered || this.cutOff('lease lost'));
    const lapse = setTimeout(giveUp, patienceMs);
    const renewed = await this.renew().catch(() => null);
    answered = true;
    clearTimeout(lapse);
    if (this.holdsUntil === 0) return;
    if (renewed === false) return this.cutOff('lease lost');
    if (renewed) {
      this.holdsUntil = askedAt + LEASE_MS - LETTING_GO_MS;
      this.wallLimit = askedAtWall + LEASE_MS - LETTING_GO_MS;
    } else if (performance.now() >= this.holdsUntil) return this.cutOff('lease lost');
    this.timer = this.renewAfter(renewed ? RENEWAL_MS : RENEWAL_MS / 10);
  }
}
