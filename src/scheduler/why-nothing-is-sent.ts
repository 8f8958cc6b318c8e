import type { QueueCondition } from './interval-queue.js';
import type { JobRecord } from './job-history.js';
import type { Sighting } from './schedule-store.js';

/** What the replica that answers knows of itself. */
export interface OwnCondition {
  readonly cannotWork: string | null;
  readonly trouble: string | null;
  /** Until when it leaves jobs to others because of that trouble; null when it does not. */
  readonly triesAgainAt?: Date | null;
  readonly condition: QueueCondition;
  /** Why it does not know whether sending is to run; null when it does. */
  readonly unknown?: string | null;
}

/** What the fleet's jobs have come to. Times are milliseconds since 1970. */
export interface Progress {
  readonly now: number;
  readonly lastSuccessAt: number | null;
  readonly running: readonly JobRecord[];
  /** Newest first. */
  readonly recent: readonly JobRecord[];
}

/** Jobs that bring nothing to its end for longer than this are told, whatever the cause is. */
const NO_PROGRESS_MS = 15_000;

/** Why messages wait and none is sent, in words for people; null when nothing keeps them. */
export function whyNothingIsSent(
  seen: Pick<Sighting, 'schedule' | 'workExists' | 'changedAt' | 'changedBy' | 'begun' | 'silent'>,
  { cannotWork, trouble, triesAgainAt = null, condition, unknown = null }: OwnCondition,
  progress: Progress,
): string | null {
  const { schedule, workExists, changedAt, changedBy } = seen;
  if (!workExists) return null;
  if (!schedule.running) {
    if (changedBy === null && unknown !== null) return `sending has not begun: ${unknown}; POST /start starts it`;
    const by = changedBy === null ? '' : ` by ${changedBy}`;
    return `sending is stopped since ${changedAt.toISOString()}${by}; POST /start resumes it`;
  }
  if (cannotWork !== null) return `${cannotWork} on this replica`;
  if (condition.turnsFailSince !== null) {
    const why = condition.turnsFailBecause ?? 'the schedule cannot be read or written';
    return `${why}, since ${condition.turnsFailSince.toISOString()}`;
  }
  if (condition.jobsFailSince !== null) {
    return `each job of this replica fails since ${condition.jobsFailSince.toISOString()}; see the log`;
  }
  if (condition.slotOverdueSince !== null) {
    return `the slot of ${condition.slotOverdueSince.toISOString()} has not been taken; see the log`;
  }
  const again =
    trouble === null || triesAgainAt === null ? null : `this replica tries again at ${triesAgainAt.toISOString()}`;
  const parts = [trouble ?? noProgress(schedule.waiting, progress), again, silenceOf(seen, progress)];
  return parts.filter((part) => part !== null).join('; ') || null;
}

/** The owner that went silent with messages claimed, or whose job was taken over and has sent nothing since. */
function silenceOf(
  { begun, silent }: Pick<Sighting, 'begun' | 'silent'>,
  { now, lastSuccessAt }: Progress,
): string | null {
  const lapsed = begun.find(({ owner, leaseUntil }) => owner !== null && leaseUntil !== null && leaseUntil <= now);
  if (lapsed !== undefined) {
    return `the replica ${lapsed.owner ?? ''} went silent in job ${lapsed.id}, which another one takes over`;
  }
  if (silent === null || begun.length === 0 || (lastSuccessAt ?? -Infinity) >= silent.takenOverAt) return null;
  const at = new Date(silent.takenOverAt).toISOString();
  return `the replica ${silent.owner} went silent, its job was taken over at ${at}, and nothing was sent since`;
}

/** What is seen of the jobs when nobody knows why: one that runs on and on, or several that came to nothing. */
function noProgress(waiting: number, { now, lastSuccessAt, running, recent }: Progress): string | null {
  const isStill = (since: string | null) =>
    since !== null && now - Date.parse(since) > NO_PROGRESS_MS && (lastSuccessAt ?? -Infinity) < Date.parse(since);
  // Nothing waits for a tail.
  const stuck = running.find(({ started_at, tail_since }) => tail_since === null && isStill(started_at));
  if (stuck !== undefined) {
    const behind = waiting === 0 ? '' : `, and ${waiting} jobs wait behind it`;
    return `job ${stuck.id} has run since ${stuck.started_at} at ${stuck.owner ?? 'no replica'} and nothing was sent since${behind}`;
  }
  // A slot without work is written down without an owner.
  const worked = recent.filter(({ owner }) => owner !== null);
  const success = worked.findIndex(({ sent }) => sent > 0);
  const vain = success === -1 ? worked : worked.slice(0, success);
  const first = vain.at(-1);
  if (vain.length < 2 || first === undefined || !isStill(first.started_at)) return null;
  const note = vain.find((job) => job.note !== null)?.note;
  return `the last ${vain.length} jobs, since ${first.started_at}, sent nothing${note == null ? '' : `: ${note}`}`;
}
