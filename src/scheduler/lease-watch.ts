import type { BegunJob } from './plan.js';
import { LEASE_MS, RENEWAL_MS } from './running-job.js';

/** An owner that was out of touch for no longer than this could still renew in time. */
const ENDANGERS_RENEWAL_MS = LEASE_MS - RENEWAL_MS;

interface WatchedLease {
  readonly leaseUntil: number;
  /** Monotonic: when it was first seen run out; null while it was not. */
  expiredAt: number | null;
  /** Monotonic: its owner is given until then. */
  heldUntil: number;
}

/** What a look at the schedule tells of the leases. */
interface Look {
  readonly now: number;
  readonly begun: readonly BegunJob[];
  readonly postmasterStartedAt: number;
}

/**
 * When a lease that has run out means that its owner is gone. After a time in which owners may have been kept from renewing
 * it proves nothing: each owner whose lease was not seen run out before that time gets one more term, counted on this
 * process's own clock. So a job is held back for one lease at most beyond the first look that saw its lease run out,
 * however often connections break. A lease that moved shows that its owner lives, and ends whatever was granted before.
 * All times but the database's are monotonic.
 */
export class LeaseWatch {
  private leases = new Map<string, WatchedLease>();
  private lastLookAt = -Infinity;
  private postmasterStartedAt: number | null = null;
  private outOfTouch = true;
  /** A replica that has just started does not know what kept the others. */
  private excused = true;

  /** A turn failed, or the listening connection was lost: if that lasts, owners may fare the same. */
  lostTouch(): void {
    this.outOfTouch = true;
  }

  /** The database's clock jumped, or was set by somebody and cannot be compared with an earlier reading. */
  excuseOwners(): void {
    this.excused = true;
  }

  /** This process stood still for so long, and so may the whole machine have: nobody had that time. */
  stoodStill(ms: number): void {
    this.excused = true;
    for (const lease of this.leases.values()) lease.heldUntil += ms;
  }

  /** Call it with each observation, before `heldUntil` is asked. */
  looked({ begun, now, postmasterStartedAt }: Look, at: number): void {
    const restarted = this.postmasterStartedAt !== null && this.postmasterStartedAt !== postmasterStartedAt;
    const excused = this.excused || restarted || (this.outOfTouch && at - this.lastLookAt > ENDANGERS_RENEWAL_MS);
    const before = this.leases;
    this.leases = new Map();
    const isFirst = this.lastLookAt === -Infinity;
    for (const { id, fence, owner, leaseUntil, lapseSeenAgoMs } of begun) {
      if (owner === null || leaseUntil === null) continue;
      const key = keyOf({ id, fence });
      const known = before.get(key);
      const lease = known?.leaseUntil === leaseUntil ? known : { leaseUntil, expiredAt: null, heldUntil: -Infinity };
      // What another process counted before this one started counts here as well, else one that starts often takes over nothing.
      const graceSpentMs = isFirst ? Math.min(Math.max(lapseSeenAgoMs ?? 0, 0), LEASE_MS) : 0;
      if (excused && lease.expiredAt === null) lease.heldUntil = at + LEASE_MS - graceSpentMs;
      if (leaseUntil <= now) lease.expiredAt ??= at;
      this.leases.set(key, lease);
    }
    this.lastLookAt = at;
    this.postmasterStartedAt = postmasterStartedAt;
    this.outOfTouch = false;
    this.excused = false;
  }

  /** Until when the job's owner is given, whatever its lease says. */
  heldUntil(job: Pick<BegunJob, 'id' | 'fence'>): number {
    return this.leases.get(keyOf(job))?.heldUntil ?? -Infinity;
  }
}

function keyOf({ id, fence }: Pick<BegunJob, 'id' | 'fence'>): string {
  return `${id}/${fence}`;
}
