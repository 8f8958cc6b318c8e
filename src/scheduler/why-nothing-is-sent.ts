import type { QueueCondition } from './interval-queue.js';
import type { Sighting } from './schedule-store.js';

/** What the replica that answers knows of itself. */
export interface OwnCondition {
  readonly cannotWork: string | null;
  readonly trouble: string | null;
  readonly condition: QueueCondition;
  /** Why it does not know whether sending is to run; null when it does. */
  readonly unknown?: string | null;
}

/** Why messages wait and none is sent, in words for people; null when nothing keeps them. */
export function whyNothingIsSent(
  { schedule, workExists, changedAt, changedBy }: Pick<Sighting, 'schedule' | 'workExists' | 'changedAt' | 'changedBy'>,
  { cannotWork, trouble, condition, unknown = null }: OwnCondition,
): string | null {
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
  return trouble;
}
