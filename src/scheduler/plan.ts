import { changeInterval, adoptLastSlot, start, stop, tick, trim, type Schedule } from './schedule.js';

/** A job of the fleet that has begun and not ended. Times are milliseconds of the database's clock. */
export interface BegunJob {
  readonly id: number;
  readonly fence: number;
  /** null: it was given back with what is left of its budget, and may go on from `leaseUntil` on. */
  readonly owner: string | null;
  /** null: at once. */
  readonly leaseUntil: number | null;
  /** How long ago a replica first saw that the lease had run out; null: none has. */
  readonly lapseSeenAgoMs?: number | null;
  /** How long its owner lets a request take at most; null: unknown. */
  readonly requestLimitMs?: number | null;
  /** Whether it makes no more requests and only waits for some that hang: then it is in no other job's way. */
  readonly tail: boolean;
}

/** The schedule and its queue as the database held them at `now`. */
export interface Observation {
  readonly version: number;
  readonly now: number;
  readonly schedule: Schedule;
  /** The value of `auto_sending` that was last acted upon; null on the first boot. */
  readonly autoSending: boolean | null;
  readonly oldestWaiting: { readonly id: number; readonly fence: number } | null;
  readonly begun: readonly BegunJob[];
  /** Whether a job would find anything to do. */
  readonly workExists: boolean;
}

/**
 * How a run of a job ended. `open`: it goes on under its next owner, with what is left of its budget and whatever is still
 * claimed; it stays begun, so that no stop discards it. `failed`: so does a job whose run threw, and that is counted.
 */
export interface EndedRun {
  readonly id: number;
  readonly fence: number;
  readonly state: 'done' | 'open' | 'failed';
  /** Unless it is done: not before so long from now; 0: at once. */
  readonly resumeAfterMs: number;
  readonly sent: number;
  readonly notSent: number;
  readonly note: string | null;
}

/** What one replica knows when it takes a turn. */
export interface Circumstances {
  /** What this replica is called as the owner of a job. */
  readonly self: string;
  readonly capacity: number;
  readonly workers: number;
  /** An interval that is news for the fleet. */
  readonly newIntervalMs: number | null;
  /** An `auto_sending` that is news for the fleet; it acts where it differs from the one last acted upon. */
  readonly newAutoSending: boolean | null;
  /** Whether an operator started or stopped last: a first value of `auto_sending` that comes after that does neither. */
  readonly operatorDecided?: boolean;
  /** The settings that are news for the fleet, those two among them, to be kept with the schedule. */
  readonly newSettings?: readonly object[];
  /** The copy of the last slot in Redis, at start. */
  readonly lastSlotCopy: number | null;
  /** This replica's own run that has just ended. */
  readonly ended: EndedRun | null;
  /** Whether this replica can take a job. */
  readonly free: boolean;
  /** The job of this replica that only waits for requests that hang, if the next one may begin here beside it. */
  readonly trailing: Pick<BegunJob, 'id' | 'fence'> | null;
  /** Whether this replica can settle what the owner of a tail left, which it does beside its job. */
  readonly settles: boolean;
  readonly runsHere: (job: Pick<BegunJob, 'id' | 'fence'>) => boolean;
  /** How long before its time this replica takes a slot for which there is work. */
  readonly leadMs: number;
  /** How much later than others this replica takes what is due, since it could do nothing with it; 0: it could. */
  readonly handicapMs: number;
  /** For how much longer this replica leaves that job to others; 0: it may take it. */
  readonly deferMs: (job: Pick<BegunJob, 'id' | 'fence'>) => number;
  /** Before that time the job's lease does not count as run out: its owner may just have had no way to renew it. */
  readonly takeoverFrom: (job: BegunJob) => number;
}

export interface Plan {
  readonly schedule: Schedule;
  readonly autoSending: boolean | null;
  /** Slots to queue: `running` begins at once here, `done` found nothing to do. */
  readonly slots: readonly { readonly dueAt: number; readonly state: 'waiting' | 'running' | 'done' }[];
  /** The job to begin, or to take over from an owner whose lease ran out, unless it is one of `slots`. */
  readonly begin: { readonly id: number; readonly fence: number } | null;
  /** Whether `begin` only settles what its silent owner left: its requests are left to others for now. */
  readonly settlesOnly: boolean;
  /** For how much longer a job that could begin is left to others; 0: none is. */
  readonly leftForMs: number;
  /** The job of this replica that counts as a tail from now on. */
  readonly tail: Pick<BegunJob, 'id' | 'fence'> | null;
  readonly ended: EndedRun | null;
  readonly settings?: readonly object[];
  /** How many of the newest waiting jobs are dropped. */
  readonly dropped: number;
  readonly overflow: number;
  /** Whether there is anything to write. */
  readonly changes: boolean;
  /** When to look again if nothing is heard before; Infinity: not before something is. */
  readonly wakeAt: number;
}

/** Spare time after a lease's end, so that the rounding of two clocks cannot make two owners. */
const LEASE_MARGIN_MS = 250;
/** So late, or half an interval, slots are queued at the latest, whoever begins them. */
const QUEUED_WITHIN_MS = 1_000;
/** So late the claims of a silent owner are settled at the latest, so that a replica that can send takes its job first. */
const SETTLED_WITHIN_MS = 1_000;

/** So many tails of the fleet at most: each renews its lease. With more, the next job waits for the oldest. */
export const TAILS_MAX = 32;

/** One turn of one replica as a pure decision: what to write, what to begin, and when to look again. */
export function planTurn(seen: Observation, circumstances: Circumstances): Plan {
  const { now } = seen;
  const settings = circumstances.newSettings ?? [];
  const { capacity, workers, takeoverFrom, ended } = circumstances;
  let schedule = seen.schedule;
  if (circumstances.lastSlotCopy !== null) schedule = adoptLastSlot(schedule, circumstances.lastSlotCopy, now);

  const autoSending = circumstances.newAutoSending ?? seen.autoSending;
  const isOperatorsWord = seen.autoSending === null && circumstances.operatorDecided === true;
  if (autoSending !== seen.autoSending && !isOperatorsWord) {
    schedule = autoSending ? start(schedule, now) : stop(schedule);
  }

  // With nothing to send there is nothing to prepare, and what comes until the slot may still go out in it.
  const prepareMs = seen.workExists ? circumstances.leadMs : 0;
  const { handicapMs } = circumstances;
  const queuedLateMs = Math.min(handicapMs, QUEUED_WITHIN_MS, schedule.intervalMs / 2);
  // What the old grid owes is queued before a new one begins, by whoever brings it.
  const leadMs = queuedLateMs > 0 && circumstances.newIntervalMs === null ? -queuedLateMs : prepareMs;
  const old = tick(schedule, now + leadMs, capacity);
  const changed =
    circumstances.newIntervalMs === null
      ? old.schedule
      : changeInterval(old.schedule, now, circumstances.newIntervalMs);
  const fresh = tick(changed, now + leadMs, capacity);
  const trimming = trim(fresh.schedule, capacity);
  schedule = trimming.schedule;
  const due = [...old.slots, ...fresh.slots];
  const stopped = seen.schedule.running && !schedule.running;

  const isEnded = (job: BegunJob) => job.id === ended?.id && job.fence === ended.fence;
  const begun = seen.begun.filter((job) => !isEnded(job) || ended?.state !== 'done');
  const expiry = (job: BegunJob) => {
    if (isEnded(job)) return now + (ended?.resumeAfterMs ?? 0);
    if (circumstances.runsHere(job)) return Infinity;
    // A job of this replica that does not run here began in a write whose reply was lost.
    if (job.leaseUntil === null || job.owner === circumstances.self) return now;
    return job.owner === null ? job.leaseUntil + 1 : Math.max(job.leaseUntil + LEASE_MARGIN_MS, takeoverFrom(job));
  };
  // A run that ends open can begin again in a later turn only: it is written in this one.
  const lapsed = begun.filter((job) => !isEnded(job) && expiry(job) <= now);
  const orphans = lapsed.filter((job) => !job.tail);
  // What a silent owner left may be claimed; what was given back is not.
  const orphan = orphans.find(({ owner }) => owner !== null) ?? orphans[0] ?? null;
  const orphanedTail = circumstances.settles ? (lapsed.find((job) => job.tail) ?? null) : null;

  const trailing = begun.filter((job) => job.tail).length < TAILS_MAX ? circumstances.trailing : null;
  const isTrailing = (job: BegunJob) => job.id === trailing?.id && job.fence === trailing.fence;
  const active = begun.filter((job) => !job.tail && !isTrailing(job));
  const free = circumstances.free || trailing !== null;
  const vacancy = free && active.length < workers && schedule.running;
  const idle = !seen.workExists && active.length === 0 && seen.oldestWaiting === null;

  const candidate = free && orphan ? orphan : vacancy && !stopped ? seen.oldestWaiting : null;
  // A stop waits for nobody: what is left of its jobs is cleared away at once.
  const leftMs = candidate === null || !schedule.running ? 0 : circumstances.deferMs(candidate);
  // A handicap keeps requests back. Messages that a silent owner left claimed are free in time all the same.
  const isSilents = candidate !== null && candidate === orphan && orphan.owner !== null;
  const spareMs = isSilents ? Math.max(0, handicapMs - SETTLED_WITHIN_MS) : 0;
  const deferMs = Math.max(0, leftMs - spareMs);
  // One that is queued by a replica that steps back is left to others, as one that waits.
  const leavesFresh = handicapMs > 0 && (ended !== null || handicapMs > queuedLateMs);
  const beginsFresh = vacancy && candidate === null && !idle && !leavesFresh && due.length > 0;
  const takesJob = beginsFresh || (candidate !== null && deferMs === 0);
  const begin = takesJob ? candidate : orphanedTail;
  const slots = due.map((dueAt, index) => ({
    dueAt,
    state: idle ? ('done' as const) : beginsFresh && index === 0 ? ('running' as const) : ('waiting' as const),
  }));

  const isWatched = (job: BegunJob) => job !== begin && (job.tail ? circumstances.settles : free && !takesJob);
  const watched = begun.filter(isWatched).map((job) => Math.max(expiry(job), job.tail ? now : now + deferMs));
  if (deferMs > 0) watched.push(now + deferMs);
  // From the next look on it counts how long that one has been left.
  else if (vacancy && leavesFresh && slots.some(({ state }) => state === 'waiting')) watched.push(now + 1);
  return {
    schedule,
    autoSending,
    slots,
    begin,
    settlesOnly: takesJob && leftMs > 0,
    leftForMs: leftMs,
    tail: takesJob ? trailing : null,
    ended,
    settings,
    dropped: stopped ? seen.schedule.waiting : trimming.trimmed,
    overflow: old.overflow + fresh.overflow + trimming.trimmed,
    changes:
      schedule !== seen.schedule ||
      autoSending !== seen.autoSending ||
      begin !== null ||
      ended !== null ||
      settings.length > 0,
    wakeAt: Math.min(schedule.running ? schedule.nextSlotAt - leadMs : Infinity, ...watched),
  };
}
