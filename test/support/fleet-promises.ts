import { TAILS_MAX } from '../../src/scheduler/plan.js';
import { LEASE_MS } from '../../src/scheduler/running-job.js';
import { LONGEST_LEAD_MS } from '../../src/scheduler/schedule.js';
import type { Decision } from './simulated-replica.js';
import type { SimulatedJob, SimulatedStore } from './simulated-store.js';
import type { SlotOracle } from './slot-oracle.js';

/** So far off may the rules be about a clock that was set back: less is a clock that is being slewed. */
const SLIGHT_MS = LONGEST_LEAD_MS + 50;
/** So late a replica wakes in a simulation. */
export const LATE_AT_MOST_MS = 400;

/** What the schedule promises, stated over what the store holds before and after a turn and what the oracle says came due. */
export class FleetPromises {
  private readonly firstBegins = new Set<number>();
  private discarded = 0;
  /** Monotonic: since when there is somebody who notices slots, and no slot. */
  pauseSince = 0;

  constructor(
    private readonly store: SimulatedStore,
    private readonly oracle: SlotOracle,
  ) {}

  operated(act: 'start' | 'stop', now: number, waitingBefore: number): void {
    if (act === 'start') this.oracle.start(now);
    else this.oracle.stop();
    if (act === 'stop') this.discarded += waitingBefore;
    check(act === 'start' || this.store.waiting.length === 0, 'a stop discards every waiting job');
    this.balance();
  }

  /** What a turn queued, counted and dropped is what came due, by the oracle. */
  slots({ seen, circumstances, plan }: Decision, openBefore: SimulatedJob[], insertedBefore: number): void {
    const { oracle, store } = this;
    const { now } = seen;
    let waitingBefore = openBefore.filter((job) => job.state === 'waiting').length;
    const { newAutoSending, newIntervalMs, capacity, lastSlotCopy } = circumstances;
    if (lastSlotCopy !== null) oracle.adopt(lastSlotCopy, now);
    if (newAutoSending !== null && newAutoSending !== seen.autoSending) {
      if (newAutoSending) oracle.start(now);
      else {
        if (oracle.running) {
          this.discarded += waitingBefore;
          waitingBefore = 0;
        }
        oracle.stop();
      }
    }
    const reach = seen.workExists ? now + circumstances.leadMs : now;
    const due = oracle.takeDue(reach);
    if (newIntervalMs !== null) {
      oracle.changeInterval(now, newIntervalMs);
      due.push(...oracle.takeDue(reach));
    }
    const { schedule } = store;
    const fitting = Math.min(due.length, Math.max(0, capacity - waitingBefore));
    const overflow = Math.max(0, waitingBefore + due.length - capacity);
    check(schedule.running === oracle.running, 'sending runs exactly when it was started');
    check(store.inserted - insertedBefore === fitting, 'as many slots are queued as came due and fit');
    check(
      plan.slots.every((slot, index) => slot.dueAt === due[index]),
      'slots lie on the grid, in order',
    );
    check(plan.overflow === overflow, 'the surplus is counted');
    check(schedule.overflowTotal - seen.schedule.overflowTotal === overflow, 'the surplus is added to the total');
    check(schedule.lastSlotAt === oracle.lastSlotAt, 'the last slot is the newest that came due');
    check(!schedule.running || schedule.nextSlotAt === oracle.nextSlotAt, 'the next slot is the next of the grid');
    check(schedule.intervalMs === oracle.intervalMs, 'the interval is the one in force');
    const begins = plan.slots.filter((slot) => slot.state === 'running').length + (plan.begin === null ? 0 : 1);
    check(begins <= 1, 'a replica begins one job at a time');
    const { ended, trailing } = circumstances;
    const others = openBefore.filter((job) => job.id !== ended?.id && !job.tail && !isSame(job, trailing));
    check(
      others.length === 0 || plan.slots.every((slot) => slot.state !== 'done'),
      'no slot is done before older ones',
    );
    const fresh = store.waiting.filter((job) => job.fence === 0).length;
    check(fresh <= capacity, 'at most as many jobs wait as the capacity allows');
    this.balance();
  }

  /** queued + overflow + discarded by a stop = came due. */
  balance(): void {
    const { inserted, dropped, schedule } = this.store;
    check(
      inserted - dropped + this.discarded + schedule.overflowTotal === this.oracle.total,
      'no slot is lost or counted twice',
    );
  }

  /** `owned`: whether some replica may still go on with that job. */
  begin(
    tenure: SimulatedJob,
    openBefore: SimulatedJob[],
    { circumstances, seen, plan }: Decision,
    owned: boolean,
  ): void {
    const before = openBefore.find((job) => job.id === tenure.id);
    const ended = circumstances.ended;
    check(tenure.fence === (before?.fence ?? 0) + 1, 'each owner of a job has the next fence');
    if (before?.state === 'running') {
      // The reply that it had begun may have been lost.
      const isOwn = before.owner === circumstances.self;
      check(isOwn || (before.leaseUntil ?? 0) < seen.now, 'a job is taken over only after its lease ran out');
      check(!owned, 'a job that is taken over has no owner that may go on');
      return;
    }
    check(!tenure.tail, 'what begins for the first time is no tail');
    const others = openBefore.filter(
      (job) => job.state === 'running' && !job.tail && !isSame(job, ended) && !isSame(job, plan.tail),
    );
    check(this.store.schedule.running, 'no job begins while sending is stopped');
    check(others.length < circumstances.workers, 'no more jobs that begin requests at once than workers');
    check(
      this.store.waiting.every((job) => job.id > tenure.id),
      'jobs begin in the order of their slots',
    );
    if (tenure.fence === 1) {
      check(!this.firstBegins.has(tenure.id), 'a job begins for the first time once');
      this.firstBegins.add(tenure.id);
    }
  }

  /** In real time, whatever the database's clock did; for replicas that hear of each other. */
  pause({ seen, plan }: Decision, at: number): void {
    const { schedule } = this.store;
    const pauseMs = at - this.pauseSince;
    const kept = seen.schedule.running && schedule.intervalMs === seen.schedule.intervalMs;
    // From one that was taken ahead of its time to one that was not.
    const atMostMs = schedule.intervalMs + LONGEST_LEAD_MS + LATE_AT_MOST_MS + 100;
    check(!kept || pauseMs <= atMostMs, 'no pause is longer than an interval');
    if (schedule.lastSlotAt !== seen.schedule.lastSlotAt || !kept || plan.slots.length > 0) this.pauseSince = at;
  }

  /** When a replica looks again, and that it leaves nothing lying until then. */
  rest({ seen, circumstances, plan }: Decision, busy: boolean): void {
    const { schedule } = this.store;
    const { now } = seen;
    check(plan.changes || plan.wakeAt > now, 'a turn with nothing to write does not look again at once');
    check(!schedule.running || plan.wakeAt <= schedule.nextSlotAt, 'no slot is slept past');
    check(
      !schedule.running || plan.wakeAt - now <= schedule.intervalMs + SLIGHT_MS,
      'no pause is longer than an interval',
    );
    const { begun, waiting } = this.store;
    const active = begun.filter((job) => !job.tail);
    const tails = begun.length - active.length;
    check(tails <= TAILS_MAX, 'tails are few');
    if (circumstances.trailing !== null && plan.tail === null && tails < TAILS_MAX) {
      check(
        !schedule.running || waiting.length === 0 || active.length > circumstances.workers,
        'no job is left waiting by a replica whose own only waits for requests that hang',
      );
    }
    if (!circumstances.free || busy) return;
    check(
      !schedule.running || waiting.length === 0 || active.length >= circumstances.workers,
      'no job is left waiting by a free replica that has room for it',
    );
    const elsewhere = begun.filter((job) => !circumstances.runsHere(job));
    check(
      elsewhere.every((job) => plan.wakeAt <= Math.max(job.leaseUntil ?? now, now) + LEASE_MS + 1_000),
      'a free replica takes over one lease after another one ran out, at the latest',
    );
  }
}

function isSame(job: SimulatedJob, key: { readonly id: number; readonly fence: number } | null): boolean {
  return job.id === key?.id && job.fence === key.fence;
}

/** @throws naming the promise that does not hold. */
export function check(holds: boolean, promise: string): void {
  if (!holds) throw new Error(`broken: ${promise}`);
}
