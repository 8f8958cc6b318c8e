import type { Observation } from '../../src/scheduler/plan.js';
import type { Schedule } from '../../src/scheduler/schedule.js';
import type { Write } from '../../src/scheduler/schedule-store.js';

/** A row of `dispatch_jobs`. */
export interface SimulatedJob {
  readonly id: number;
  readonly dueAt: number;
  state: 'waiting' | 'running' | 'done' | 'dropped';
  fence: number;
  owner: string | null;
  leaseUntil: number | null;
  failures: number;
  tail: boolean;
}

export interface SimulatedSighting extends Observation {
  readonly clockEpoch: number;
  readonly postmasterStartedAt: number;
}

/** `ScheduleStore` in memory: every change is a compare-and-swap on one version that covers state and queue. */
export class SimulatedStore {
  autoSending: boolean | null = null;
  inserted = 0;
  dropped = 0;
  /** Jobs that are waiting or running, oldest first. */
  open: SimulatedJob[] = [];
  private version = 0;
  private clockEpoch = 0;
  private state: Omit<Schedule, 'waiting'>;

  constructor(intervalMs: number) {
    this.state = { running: false, intervalMs, lastSlotAt: null, nextSlotAt: 0, overflowTotal: 0 };
  }

  get schedule(): Schedule {
    return { ...this.state, waiting: this.waiting.length };
  }

  get waiting(): SimulatedJob[] {
    return this.open.filter((job) => job.state === 'waiting');
  }

  get begun(): SimulatedJob[] {
    return this.open.filter((job) => job.state === 'running');
  }

  observe(now: number, workExists: boolean): SimulatedSighting {
    const oldest = this.open.find((job) => job.state === 'waiting');
    return {
      version: this.version,
      now,
      schedule: this.schedule,
      autoSending: this.autoSending,
      oldestWaiting: oldest === undefined ? null : { id: oldest.id, fence: oldest.fence },
      begun: this.begun.map(({ id, fence, owner, leaseUntil, tail }) => ({ id, fence, owner, leaseUntil, tail })),
      workExists,
      clockEpoch: this.clockEpoch,
      postmasterStartedAt: 0,
    };
  }

  /** Returns false when something changed since `version`, else the job that begins, or null. */
  apply(version: number, write: Write, owner: string, now: number, leaseMs: number): false | SimulatedJob | null {
    if (version !== this.version) return false;
    this.version += 1;
    const { running, intervalMs, lastSlotAt, nextSlotAt, overflowTotal } = write.schedule;
    this.state = { running, intervalMs, lastSlotAt, nextSlotAt, overflowTotal };
    this.autoSending = write.autoSending;

    const newest = this.waiting.toReversed().slice(0, write.dropped);
    const ended = this.open.find(
      (job) => job.id === write.ended?.id && job.fence === write.ended.fence && job.state === 'running',
    );
    const begun = this.open.find((job) => job.id === write.begin?.id && job.fence === write.begin.fence);
    for (const job of newest) job.state = 'dropped';
    this.dropped += newest.length;
    if (ended !== undefined && write.ended?.state === 'done') ended.state = 'done';
    else if (ended !== undefined && write.ended !== null) {
      if (write.ended.state === 'failed') ended.failures += 1;
      ended.owner = null;
      ended.leaseUntil = write.ended.resumeAfterMs > 0 ? now + write.ended.resumeAfterMs : null;
    }
    const tailed = this.begun.find((job) => job.id === write.tail?.id && job.fence === write.tail.fence);
    if (tailed !== undefined && tailed.owner === owner) tailed.tail = true;
    let tenure: SimulatedJob | null = null;
    const free = begun?.owner === owner || begun?.leaseUntil === null || (begun?.leaseUntil ?? now) < now;
    if (begun !== undefined && (begun.state === 'waiting' || free)) {
      if (begun.state === 'running' && begun.owner !== null && begun.owner !== owner) begun.failures += 1;
      begun.fence += 1;
      tenure = begun;
    }
    for (const { dueAt, state } of write.slots) {
      this.inserted += 1;
      const job = {
        id: this.inserted,
        dueAt,
        state,
        fence: state === 'running' ? 1 : 0,
        owner: null,
        leaseUntil: null,
        failures: 0,
        tail: false,
      };
      this.open.push(job);
      if (state === 'running') tenure = job;
    }
    if (tenure !== null) {
      tenure.state = 'running';
      tenure.owner = owner;
      tenure.leaseUntil = now + leaseMs;
    }
    this.open = this.open.filter((job) => job.state === 'waiting' || job.state === 'running');
    return tenure;
  }

  shiftClock(version: number, shiftMs: number, now: number, leaseMs: number): boolean {
    if (version !== this.version) return false;
    this.version += 1;
    this.clockEpoch += 1;
    const { lastSlotAt, nextSlotAt } = this.state;
    this.state = {
      ...this.state,
      lastSlotAt: lastSlotAt === null ? null : lastSlotAt - shiftMs,
      nextSlotAt: nextSlotAt - shiftMs,
    };
    for (const job of this.begun) {
      if (job.leaseUntil !== null) job.leaseUntil = Math.min(job.leaseUntil, now + leaseMs);
    }
    return true;
  }

  renew(id: number, fence: number, now: number, leaseMs: number): boolean {
    const job = this.open.find((one) => one.id === id && one.fence === fence && one.state === 'running');
    if (job !== undefined) job.leaseUntil = now + leaseMs;
    return job !== undefined;
  }
}
