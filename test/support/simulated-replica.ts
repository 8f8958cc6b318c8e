import { clockJumpMs, type ClockReading } from '../../src/scheduler/database-clock.js';
import { planTurn, type Circumstances, type EndedRun, type Plan } from '../../src/scheduler/plan.js';
import { FAILURES_AT_MOST } from '../../src/scheduler/job-runner.js';
import { LeaseWatch } from '../../src/scheduler/lease-watch.js';
import { LEASE_MS, RENEWAL_MS } from '../../src/scheduler/running-job.js';
import { clockShiftMs, LEAD_MS, LONGEST_LEAD_MS } from '../../src/scheduler/schedule.js';
import type { SimulatedJob, SimulatedSighting, SimulatedStore } from './simulated-store.js';

/** A turn that failed is tried again after this. */
const RETRY_MS = 500;
/** What is in flight when a run winds down ends within this. */
const IN_FLIGHT_MS = 200;
const LETTING_GO_MS = 500;
const LEADS_MS = [LEAD_MS, LONGEST_LEAD_MS, 3 * LEAD_MS] as const;

export interface SimulatedSettings {
  intervalMs: number;
  capacity: number;
  workers: number;
  autoSending: boolean;
  workExists: boolean;
}

/** Times are milliseconds of the monotonic clock that all replicas of a simulation share. */
export interface SimulatedRun {
  readonly id: number;
  readonly fence: number;
  readonly failures: number;
  endsAt: number;
  renewAt: number;
  holdsUntil: number;
  throws: boolean;
  winding: 'stopped' | 'shutdown' | 'lease lost' | 'worn out' | null;
}

export interface Decision {
  readonly seen: SimulatedSighting;
  readonly circumstances: Circumstances;
  readonly plan: Plan;
}

/** One replica's loop, as `IntervalQueue` and `JobRunner` keep it, with the product's own rules and no I/O. */
export class SimulatedReplica {
  private static made = 0;
  readonly name = `replica-${(SimulatedReplica.made += 1)}`;
  wakeAt: number;
  ending = false;
  run: SimulatedRun | null = null;
  ended: EndedRun | null = null;
  private reading: (ClockReading & { epoch: number }) | null = null;
  /** Since when it compares the database's clock with its own without a gap. */
  measuresSince = Infinity;
  readonly leases = new LeaseWatch();
  /** Until then it reaches no database. */
  cutUntil = -Infinity;
  /** It stood still and has not come round yet. */
  slept = false;
  /** Replicas lie at different distances from the database. */
  private readonly leadMs = LEADS_MS[SimulatedReplica.made % LEADS_MS.length] ?? LEAD_MS;
  private broughtIntervalMs: number | null = null;
  private comparedAutoSending: boolean | null = null;

  constructor(
    bootedAt: number,
    private lastSlotCopy: number | null,
  ) {
    this.wakeAt = bootedAt;
  }

  get over(): boolean {
    return this.ending && this.run === null && this.ended === null;
  }

  /** When something is to be done next. */
  get dueAt(): number {
    return Math.min(this.wakeAt, this.run?.endsAt ?? Infinity, this.run?.renewAt ?? Infinity);
  }

  holds(id: number, at: number): boolean {
    return this.run !== null && this.run.id === id && at < this.run.holdsUntil && this.run.winding !== 'lease lost';
  }

  /** How far the schedule must move back, as far as this replica can tell. */
  clockShift(seen: SimulatedSighting, at: number): number {
    const reading = { databaseAt: seen.now, askedAt: at, answeredAt: at };
    const before = this.reading;
    const jumpMs = before?.epoch === seen.clockEpoch ? clockJumpMs(before, reading) : 0;
    if (before?.epoch !== seen.clockEpoch) this.measuresSince = at;
    if (jumpMs > 0 || before?.epoch !== seen.clockEpoch) this.leases.excuseOwners();
    const shiftMs = clockShiftMs(seen.schedule, seen.now, -jumpMs);
    if (shiftMs !== 0) return shiftMs;
    this.reading = { ...reading, epoch: seen.clockEpoch };
    this.leases.looked(seen, at);
    return 0;
  }

  /** Whether its last look, from before that moment, is comparable with its next. */
  canMeasure(at: number, clockEpoch: number): boolean {
    return this.reading !== null && this.reading.epoch === clockEpoch && this.reading.askedAt <= at;
  }

  decide(seen: SimulatedSighting, settings: SimulatedSettings, at: number): Decision {
    const circumstances: Circumstances = {
      self: this.name,
      capacity: settings.capacity,
      workers: settings.workers,
      newIntervalMs: settings.intervalMs === this.broughtIntervalMs ? null : settings.intervalMs,
      newAutoSending: settings.autoSending === this.comparedAutoSending ? null : settings.autoSending,
      lastSlotCopy: this.lastSlotCopy,
      ended: this.ended,
      free: !this.ending && this.run === null,
      leadMs: Math.min(this.leadMs, seen.schedule.intervalMs / 2),
      handicapMs: 0,
      deferMs: () => 0,
      takeoverFrom: (job) => seen.now + this.leases.heldUntil(job) - at,
    };
    return { seen, circumstances, plan: planTurn(seen, circumstances) };
  }

  /** Takes note of a turn that was written, or needed no writing. */
  turned({ seen, circumstances, plan }: Decision, at: number, lateMs: number): void {
    if (plan.ended !== null) this.ended = null;
    this.lastSlotCopy = null;
    this.broughtIntervalMs = circumstances.newIntervalMs ?? this.broughtIntervalMs;
    this.comparedAutoSending = circumstances.newAutoSending ?? this.comparedAutoSending;
    this.wakeAt = at + (plan.wakeAt - seen.now) + lateMs;
  }

  begin(job: SimulatedJob, at: number, durationMs: number, throws: boolean): void {
    const wornOut = job.failures >= FAILURES_AT_MOST;
    this.run = {
      id: job.id,
      fence: job.fence,
      failures: job.failures,
      endsAt: at + (wornOut ? 0 : durationMs),
      renewAt: at + RENEWAL_MS,
      holdsUntil: at + LEASE_MS - LETTING_GO_MS,
      throws: throws && !wornOut,
      winding: wornOut ? 'worn out' : null,
    };
  }

  windDown(reason: 'stopped' | 'shutdown' | 'lease lost', at: number): void {
    if (this.run === null) return;
    this.run.winding ??= reason;
    if (reason === 'lease lost') this.run.holdsUntil = at;
    this.run.endsAt = Math.min(this.run.endsAt, at + (reason === 'lease lost' ? 0 : IN_FLIGHT_MS));
  }

  renew(store: SimulatedStore, now: number, at: number): void {
    if (this.run === null) return;
    if (at < this.cutUntil) {
      this.run.renewAt = at + RENEWAL_MS / 10;
      if (at >= this.run.holdsUntil) this.windDown('lease lost', at);
      return;
    }
    if (!store.renew(this.run.id, this.run.fence, now, LEASE_MS)) this.windDown('lease lost', at);
    else this.run.holdsUntil = at + LEASE_MS - LETTING_GO_MS;
    this.run.renewAt = at + RENEWAL_MS;
  }

  /** A turn that reached nobody. */
  fail(at: number): void {
    this.leases.lostTouch();
    this.wakeAt = at + RETRY_MS;
  }

  endRun(at: number): void {
    if (this.run === null) return;
    const { id, fence, failures, winding, throws } = this.run;
    const open = winding === 'shutdown' || winding === 'lease lost';
    const state = throws ? 'failed' : open ? 'open' : 'done';
    const resumeAfterMs = throws ? 1_000 * 2 ** failures : 0;
    this.ended = { id, fence, state, resumeAfterMs, sent: 0, notSent: 0, note: null };
    this.run = null;
    this.wakeAt = at;
  }
}
