/**
 * The rules of the schedule, with time as an argument: slots on a fixed grid, a bounded number of waiting jobs,
 * and what start, stop, a new interval and a clock that was set back do to them. All times are milliseconds of the
 * database's clock. No function here has effects; `schedule-store.ts` makes their result durable.
 */
export interface Schedule {
  readonly running: boolean;
  /** The distance of the grid's slots; it may lag behind the live setting until `changeInterval` takes that over. */
  readonly intervalMs: number;
  /** The newest slot that was taken, up to `LONGEST_LEAD_MS` ahead of its time; null before the first. */
  readonly lastSlotAt: number | null;
  /** The slot to come, meaningful while `running`. */
  readonly nextSlotAt: number;
  /** Jobs that came due and have not begun. */
  readonly waiting: number;
  /** Slots that found the queue full, ever. */
  readonly overflowTotal: number;
}

/**
 * A slot for which there is work is taken at least this long before its time, and longer where its jobs need longer: its job
 * begins, finds its messages and claims them, and makes its first request at the slot's time, however long the database takes.
 */
export const LEAD_MS = 50;
/** The lead is never longer: what is inserted meanwhile waits for the next slot, and a clock that was set back looks alike. */
export const LONGEST_LEAD_MS = 1_000;

/** A clock that is being slewed runs back by less than this between two looks; the grid stays where it is. */
const SLEWED_AT_MOST_MS = 50;

/** What a turn of the clock brings: the schedule after it, the slots to queue in order, and how many found no room. */
export interface Tick {
  readonly schedule: Schedule;
  readonly slots: readonly number[];
  readonly overflow: number;
}

/**
 * Queues the slots that are due at `now`, as many as fit into `capacity`; the surplus is counted and the grid moves on
 * all the same, so it never shifts. After a downtime of k intervals exactly k slots are due, not k + 1.
 */
export function tick(schedule: Schedule, now: number, capacity: number): Tick {
  const { nextSlotAt, intervalMs } = schedule;
  if (!schedule.running || nextSlotAt > now) return { schedule, slots: [], overflow: 0 };
  const due = Math.floor((now - nextSlotAt) / intervalMs) + 1;
  const fitting = Math.min(due, Math.max(0, capacity - schedule.waiting));
  return {
    slots: Array.from({ length: fitting }, (_, index) => nextSlotAt + index * intervalMs),
    overflow: due - fitting,
    schedule: {
      ...schedule,
      lastSlotAt: nextSlotAt + (due - 1) * intervalMs,
      nextSlotAt: nextSlotAt + due * intervalMs,
      waiting: schedule.waiting + fitting,
      overflowTotal: schedule.overflowTotal + due - fitting,
    },
  };
}

/** Trims the queue to a capacity that shrank: how many of the newest waiting jobs are dropped, counted as overflow. */
export function trim(schedule: Schedule, capacity: number): { schedule: Schedule; trimmed: number } {
  const trimmed = Math.max(0, schedule.waiting - capacity);
  if (trimmed === 0) return { schedule, trimmed };
  return {
    trimmed,
    schedule: { ...schedule, waiting: capacity, overflowTotal: schedule.overflowTotal + trimmed },
  };
}

/** Starts: the next slot is one interval after the last, or now when that has passed. Started already: no change. */
export function start(schedule: Schedule, now: number): Schedule {
  if (schedule.running) return schedule;
  return { ...schedule, running: true, nextSlotAt: slotAfter(schedule.lastSlotAt, schedule.intervalMs, now) };
}

/** Stops: waiting jobs are discarded, and the time until the next start is not missed. */
export function stop(schedule: Schedule): Schedule {
  return schedule.running ? { ...schedule, running: false, waiting: 0 } : schedule;
}

/**
 * Takes over a new interval at `now`: the next slot is one new interval after the last, or now when that has passed.
 * Nothing is filled in for the past. Call `tick` before it, so that what the old grid owes is queued, and after it.
 */
export function changeInterval(schedule: Schedule, now: number, intervalMs: number): Schedule {
  if (intervalMs === schedule.intervalMs) return schedule;
  if (schedule.lastSlotAt === null) return { ...schedule, intervalMs };
  return { ...schedule, intervalMs, nextSlotAt: slotAfter(schedule.lastSlotAt, intervalMs, now) };
}

/**
 * Takes over a last slot from elsewhere (the copy in Redis) when it is later than the one known here and not in the
 * future: the database is then older than the sending, and the grid goes on from the later slot.
 */
export function adoptLastSlot(schedule: Schedule, lastSlotAt: number, now: number): Schedule {
  if (lastSlotAt > now || lastSlotAt <= (schedule.lastSlotAt ?? -Infinity)) return schedule;
  return { ...schedule, lastSlotAt, nextSlotAt: lastSlotAt + schedule.intervalMs };
}

/**
 * How far the grid must move back with a clock that was set back, by `setBackMs` as far as a replica could tell; 0: not at
 * all. A last slot in the future or a next one more than an interval ahead tell it as well, after a restart: whatever the
 * clock does, no pause is longer than an interval. Only what no replica measured, and the longest lead explains, is left.
 */
export function clockShiftMs(schedule: Schedule, now: number, setBackMs: number): number {
  const { running, intervalMs, lastSlotAt, nextSlotAt } = schedule;
  const aheadMs = Math.max(running ? nextSlotAt - (now + intervalMs) : 0, (lastSlotAt ?? now) - now);
  // Without a jump, a slot that was taken ahead of its time is in the future too. Another replica's lead is not known here.
  const isJump = setBackMs > SLEWED_AT_MOST_MS || aheadMs > LONGEST_LEAD_MS + SLEWED_AT_MOST_MS;
  return isJump ? Math.max(setBackMs, aheadMs) : 0;
}

function slotAfter(lastSlotAt: number | null, intervalMs: number, now: number): number {
  return lastSlotAt === null ? now : Math.max(now, lastSlotAt + intervalMs);
}
