import { LEASE_MS, STOOD_STILL_MS } from '../../src/scheduler/running-job.js';
import { start, stop } from '../../src/scheduler/schedule.js';
import { check, FleetPromises, LATE_AT_MOST_MS } from './fleet-promises.js';
import { SimulatedReplica, type Decision, type Fate, type SimulatedSettings } from './simulated-replica.js';
import { SimulatedStore } from './simulated-store.js';
import { SlotOracle } from './slot-oracle.js';

const FIRST_NOW = 1_800_000_000_000;
/** Longer than a lease and the grace of one. */
const SETTLING_INTERVAL_MS = 25_000;
const REST_PART_MS = 1_000;
const RETRIED_WITHIN_MS = 1_000;
const DEFAULT_INTERVAL_MS = 120_000;

export interface SimulationOptions {
  readonly settings: SimulatedSettings;
  readonly replicas: number;
  /** Whether replicas hear of each other, or the listening connections are lost. */
  readonly hears: boolean;
  /** Numbers in [0, 1) that decide durations, failures and how late a replica wakes. */
  readonly random: () => number;
}

/**
 * A fleet on one store, in simulated time, that checks after every turn what the schedule promises. What must come due is
 * told by the `SlotOracle`; the other promises are stated in `FleetPromises`.
 */
export class SimulatedFleet {
  readonly settings: SimulatedSettings;
  private readonly store = new SimulatedStore(DEFAULT_INTERVAL_MS);
  private readonly oracle = new SlotOracle(DEFAULT_INTERVAL_MS);
  private readonly promises = new FleetPromises(this.store, this.oracle);
  private readonly replicas: (SimulatedReplica | null)[];
  private at = 0;
  /** From then on jobs end at once and nothing fails. */
  private calm = false;
  private clockOffset = FIRST_NOW;
  private lastSlotCopy: number | null = null;
  /** Monotonic: when the last replica that was cut off is not any more. */
  private cutUntil = -Infinity;
  /** Monotonic, until a replica has seen it: when the clock was last set back. */
  private setBackAt: number | null = null;

  constructor(private readonly options: SimulationOptions) {
    this.settings = { ...options.settings };
    this.replicas = Array.from({ length: options.replicas }, () => new SimulatedReplica(0, null));
  }

  private get now(): number {
    return this.at + this.clockOffset;
  }

  pass(ms: number): void {
    const until = this.at + ms;
    for (;;) {
      const next = this.earliest();
      if (next === null || next.dueAt > until) break;
      this.at = Math.max(this.at, next.dueAt);
      this.step(next);
    }
    this.at = until;
  }

  change(settings: Partial<SimulatedSettings>): void {
    Object.assign(this.settings, settings);
    for (const replica of this.alive()) replica.wakeAt = this.at;
    this.pass(0);
  }

  /** An operator asks one of the replicas. */
  operate(act: 'start' | 'stop'): void {
    const asked = this.alive().find((replica) => replica.cutUntil <= this.at);
    if (asked === undefined) return;
    const seen = this.store.observe(this.now, this.settings.workExists);
    const schedule = act === 'start' ? start(seen.schedule, seen.now) : stop(seen.schedule);
    if (schedule === seen.schedule) return;
    const dropped = schedule.running ? 0 : seen.schedule.waiting;
    const write = { schedule, autoSending: seen.autoSending, slots: [], begin: null, ended: null, dropped };
    check(this.store.apply(seen.version, write, '', this.now, LEASE_MS) === null, 'an operator begins no job');
    this.promises.operated(act, seen.now, seen.schedule.waiting);
    this.promises.pauseSince = this.at;
    asked.wakeAt = this.at;
    this.tellOthers(asked);
    this.pass(0);
  }

  crash(index: number): void {
    this.replicas[index % this.replicas.length] = null;
  }

  shutDown(index: number): void {
    const replica = this.replicas[index % this.replicas.length];
    if (!replica) return;
    replica.ending = true;
    replica.windDown('shutdown', this.at);
    replica.wakeAt = this.at;
    this.pass(0);
  }

  boot(index: number): void {
    if (this.alive().length === 0) this.promises.pauseSince = this.at;
    this.replicas[index % this.replicas.length] ??= new SimulatedReplica(this.at, this.lastSlotCopy);
    this.pass(0);
  }

  /** One replica reaches no database for so long. */
  cut(index: number, ms: number): void {
    const replica = this.replicas[index % this.replicas.length];
    if (!replica) return;
    replica.cutUntil = Math.max(replica.cutUntil, this.at + ms);
    this.cutUntil = Math.max(this.cutUntil, replica.cutUntil);
    replica.fail(this.at);
  }

  /** All of them stand still, as on a machine that sleeps. */
  sleep(ms: number): void {
    for (const replica of this.living()) {
      const lateMs = this.at + ms - Math.min(replica.dueAt, this.at + REST_PART_MS);
      if (lateMs > STOOD_STILL_MS) replica.leases.stoodStill(lateMs);
      replica.slept = true;
    }
    if (this.alive().length > 0) this.promises.pauseSince = this.at + ms;
    this.at += ms;
    this.pass(0);
  }

  setClock(byMs: number): void {
    this.clockOffset += byMs;
    if (byMs < 0) this.setBackAt = this.at;
  }

  /** Two replicas look at once and both act on it: when the first one writes, the second must lose the swap. */
  race(): void {
    const [first, second] = this.alive();
    if (first === undefined || second === undefined) return;
    const decisions = [first, second].map((replica) => {
      const seen = this.store.observe(this.now, this.settings.workExists);
      return replica.clockShift(seen, this.at) === 0 ? replica.decide(seen, this.settings, this.at) : null;
    });
    const [one, other] = decisions;
    if (!one || !other) return;
    this.carryOut(first, one);
    if (!one.plan.changes || !other.plan.changes) return;
    const { plan, seen } = other;
    check(
      this.store.apply(seen.version, plan, second.name, this.now, LEASE_MS) === false,
      'the second of two loses the swap',
    );
    second.wakeAt = this.at;
    this.pass(0);
  }

  /** Everything that began ends: what was left lying after all that happened would stay for ever. */
  settle(): void {
    this.calm = true;
    for (const replica of this.living()) replica.cutUntil = -Infinity;
    for (const { live } of this.living()) for (const run of live) run.endsAt = Math.min(run.endsAt, this.at + 500);
    this.pass(1_000);
    for (const index of this.replicas.keys()) this.boot(index);
    this.change({ workExists: false, intervalMs: SETTLING_INTERVAL_MS });
    this.operate('start');
    this.pass(5 * SETTLING_INTERVAL_MS);
    check(this.store.open.length === 0, 'every job that was begun or waits is ended in the end');
    check(this.store.schedule.lastSlotAt === this.oracle.lastSlotAt, 'the grid is where it must be in the end');
  }

  private *living(): Iterable<SimulatedReplica> {
    for (const replica of this.replicas) if (replica !== null) yield replica;
  }

  private alive(): SimulatedReplica[] {
    return [...this.living()];
  }

  private earliest(): SimulatedReplica | null {
    let earliest: SimulatedReplica | null = null;
    for (const replica of this.living()) if (earliest === null || replica.dueAt < earliest.dueAt) earliest = replica;
    return earliest;
  }

  private step(replica: SimulatedReplica): void {
    const run = replica.dueRun(this.at);
    replica.slept = false;
    if (run !== undefined && run.endsAt <= this.at) replica.endRun(run, this.at);
    else if (run !== undefined && !run.trails && run.trailsFrom <= this.at) replica.trail(run, this.at);
    else if (run !== undefined) return replica.renew(run, this.store, this.now, this.at);
    if (this.at < replica.cutUntil) replica.fail(this.at);
    else this.takeTurn(replica);
    const index = this.replicas.indexOf(replica);
    if (replica.over) this.replicas[index] = null;
  }

  private takeTurn(replica: SimulatedReplica): void {
    const seen = this.store.observe(this.now, this.settings.workExists);
    const shiftMs = replica.clockShift(seen, this.at);
    this.noteSetBack(replica, shiftMs, seen.clockEpoch);
    if (shiftMs !== 0) {
      this.store.shiftClock(seen.version, shiftMs, this.now, LEASE_MS);
      this.oracle.moveBack(shiftMs);
      return this.takeTurn(replica);
    }
    this.carryOut(replica, replica.decide(seen, this.settings, this.at));
  }

  /**
   * A set-back that no replica measures begins the pause anew: nobody has a reading from before it that is comparable
   * still, or one that has none moved the schedule as far as it could tell, and readings from before that end there.
   */
  private noteSetBack(looking: SimulatedReplica, shiftMs: number, clockEpoch: number): void {
    const { at, setBackAt } = this;
    if (setBackAt === null) return;
    const measured = looking.measuresSince < at;
    const others = this.alive().some((replica) => replica.canMeasure(setBackAt, clockEpoch));
    if (!measured && shiftMs === 0 && others) return;
    if (!measured) this.promises.pauseSince = at;
    this.setBackAt = null;
  }

  private carryOut(replica: SimulatedReplica, decision: Decision): void {
    const { seen, plan } = decision;
    if (!plan.schedule.running) replica.windDown('stopped', this.at);
    const openBefore = this.store.open.map((job) => ({ ...job }));
    const insertedBefore = this.store.inserted;
    const tenure = plan.changes ? this.store.apply(seen.version, plan, replica.name, seen.now, LEASE_MS) : null;
    check(tenure !== false, 'a turn on a fresh observation is written');
    const isReplyLost = plan.changes && !this.calm && this.options.random() < 0.03;
    if (isReplyLost) replica.fail(this.at);
    else replica.turned(decision, this.at, this.lateness());
    this.promises.slots(decision, openBefore, insertedBefore);
    if (tenure !== null && tenure !== false) {
      this.promises.begin(tenure, openBefore, decision, this.owned(tenure.id));
      if (!isReplyLost) replica.begin(tenure, this.at, this.fate());
    }
    if (isReplyLost || this.at < this.cutUntil + RETRIED_WITHIN_MS) this.promises.pauseSince = this.at;
    if (this.options.hears) this.promises.pause(decision, this.at);
    if (!isReplyLost) this.promises.rest(decision, replica.busy);
    // Redis is away now and then.
    if (this.options.random() < 0.8) this.lastSlotCopy = this.store.schedule.lastSlotAt;
    if (plan.changes) this.tellOthers(replica);
  }

  /** Whether a replica goes on with that job: also one that will, having slept along with the others, as soon as it wakes. */
  private owned(id: number): boolean {
    return this.alive().some(
      (replica) => replica.holds(id, this.at) || (replica.slept && replica.live.some((run) => run.id === id)),
    );
  }

  private tellOthers(self: SimulatedReplica): void {
    if (!this.options.hears) return;
    for (const replica of this.living()) if (replica !== self) replica.wakeAt = Math.min(replica.wakeAt, this.at + 1);
  }

  private fate(): Fate {
    if (this.calm) return { durationMs: 0, throws: false, trailsAfterMs: Infinity };
    const { random } = this.options;
    const share = random();
    const durationMs = share < 0.2 ? 0 : Math.floor((share - 0.2) ** 2 * 6 * this.settings.intervalMs);
    const trailsAfterMs = random() < 0.5 ? Math.floor(random() * durationMs) : Infinity;
    return { durationMs, throws: random() < 0.05, trailsAfterMs };
  }

  private lateness(): number {
    return this.calm ? 0 : Math.floor(this.options.random() ** 4 * LATE_AT_MOST_MS);
  }
}
