import { clockJumpMs, type ClockReading } from '../../src/scheduler/database-clock.js';
import { planTurn, type BegunJob, type Circumstances, type EndedRun, type Plan } from '../../src/scheduler/plan.js';
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
  readonly throws: boolean;
  /** From when on it only waits for requests that hang. */
  readonly trailsFrom: number;
  trails: boolean;
  /** Whether its row says so. */
  isTail: boolean;
  winding: 'stopped' | 'shutdown' | 'lease lost' | 'worn out' | null;
  /** Until that is written down; null: it runs. */
  ended: EndedRun | null;
}

/** What a run will be like. */
export interface Fate {
  readonly durationMs: number;
  readonly throws: boolean;
  /** After so long it only waits for requests that hang; Infinity: never. */
  readonly trailsAfterMs: number;
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
  /** Those that ended stay until that is written down. */
  runs: SimulatedRun[] = [];
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
    return this.ending && this.runs.length === 0;
  }

  get live(): SimulatedRun[] {
    return this.runs.filter((run) => run.ended === null);
  }

  /** Whether a job runs here that begins requests. */
  get busy(): boolean {
    return this.live.some((run) => !run.isTail);
  }

  /** When something is to be done next. */
  get dueAt(): number {
    return Math.min(this.wakeAt, ...this.live.map(dueAtOf));
  }

  /** The run with which something is to be done. */
  dueRun(at: number): SimulatedRun | undefined {
    return this.live.find((run) => dueAtOf(run) <= at);
  }

  holds(id: number, at: number): boolean {
    return this.live.some((run) => run.id === id && at < run.holdsUntil && run.winding !== 'lease lost');
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
    this.noteTails(seen.begun);
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
      free: !this.ending && !this.busy,
      trailing: this.ending ? null : (this.live.find((run) => !run.isTail && run.trails) ?? null),
      settles: !this.ending,
      runsHere: (job) => this.runs.some((run) => isSame(run, job)),
      leadMs: Math.min(this.leadMs, seen.schedule.intervalMs / 2),
      handicapMs: 0,
      deferMs: () => 0,
      takeoverFrom: (job) => seen.now + this.leases.heldUntil(job) - at,
    };
    return { seen, circumstances, plan: planTurn(seen, circumstances) };
  }

  /** Takes note of a turn that was written, or needed no writing. */
  turned({ seen, circumstances, plan }: Decision, at: number, lateMs: number): void {
    const { ended, tail } = plan;
    if (ended !== null) this.runs = this.runs.filter((run) => run.ended === null || !isSame(run, ended));
    if (tail !== null) this.noteTails([{ ...tail, owner: null, leaseUntil: null, tail: true }]);
    this.lastSlotCopy = null;
    this.broughtIntervalMs = circumstances.newIntervalMs ?? this.broughtIntervalMs;
    this.comparedAutoSending = circumstances.newAutoSending ?? this.comparedAutoSending;
    this.wakeAt = this.ended === null ? at + (plan.wakeAt - seen.now) + lateMs : at;
  }

  begin(job: SimulatedJob, at: number, fate: Fate): void {
    const wornOut = job.failures >= FAILURES_AT_MOST;
    this.runs.push({
      id: job.id,
      fence: job.fence,
      failures: job.failures,
      endsAt: at + (wornOut ? 0 : fate.durationMs),
      renewAt: at + RENEWAL_MS,
      holdsUntil: at + LEASE_MS - LETTING_GO_MS,
      throws: fate.throws && !wornOut,
      trailsFrom: at + fate.trailsAfterMs,
      trails: job.tail,
      isTail: job.tail,
      winding: wornOut ? 'worn out' : null,
      ended: null,
    });
  }

  windDown(reason: 'stopped' | 'shutdown' | 'lease lost', at: number): void {
    for (const run of this.live) wind(run, reason, at);
  }

  renew(run: SimulatedRun, store: SimulatedStore, now: number, at: number): void {
    if (at < this.cutUntil) {
      run.renewAt = at + RENEWAL_MS / 10;
      if (at >= run.holdsUntil) wind(run, 'lease lost', at);
      return;
    }
    if (!store.renew(run.id, run.fence, now, LEASE_MS)) wind(run, 'lease lost', at);
    else run.holdsUntil = at + LEASE_MS - LETTING_GO_MS;
    run.renewAt = at + RENEWAL_MS;
  }

  /** A turn that reached nobody. */
  fail(at: number): void {
    this.leases.lostTouch();
    this.wakeAt = at + RETRY_MS;
  }

  trail(run: SimulatedRun, at: number): void {
    run.trails = true;
    this.wakeAt = at;
  }

  endRun(run: SimulatedRun, at: number): void {
    const { id, fence, failures, winding, throws, trails } = run;
    const open = winding === 'lease lost' || (winding === 'shutdown' && !trails);
    const state = throws ? 'failed' : open ? 'open' : 'done';
    const resumeAfterMs = throws ? 1_000 * 2 ** failures : 0;
    run.ended = { id, fence, state, resumeAfterMs, sent: 0, notSent: 0, note: null };
    this.wakeAt = at;
  }

  /** First that of the job that began requests, which the next one waits for. */
  private get ended(): EndedRun | null {
    const over = this.runs.filter((run) => run.ended !== null);
    return (over.find((run) => !run.isTail) ?? over[0])?.ended ?? null;
  }

  private noteTails(begun: readonly BegunJob[]): void {
    for (const run of this.runs) run.isTail ||= begun.some((row) => row.tail && isSame(row, run));
  }
}

function dueAtOf(run: SimulatedRun): number {
  return Math.min(run.endsAt, run.renewAt, run.trails ? Infinity : run.trailsFrom);
}

function wind(run: SimulatedRun, reason: 'stopped' | 'shutdown' | 'lease lost', at: number): void {
  run.winding ??= reason;
  if (reason === 'lease lost') run.holdsUntil = at;
  run.endsAt = Math.min(run.endsAt, at + (reason === 'lease lost' ? 0 : IN_FLIGHT_MS));
}

function isSame(one: Pick<BegunJob, 'id' | 'fence'>, other: Pick<BegunJob, 'id' | 'fence'>): boolean {
  return one.id === other.id && one.fence === other.fence;
}
