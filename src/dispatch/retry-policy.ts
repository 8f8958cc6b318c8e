import { LONGEST_RETRY_AFTER_MS } from './delivery.js';

export interface RetrySettings {
  readonly maxAttempts: number;
  readonly retryScheduleMs: readonly number[];
  /** The interval of the schedule: a failing message sits out at least the next slot, so that it blocks nobody. */
  readonly schedulerIntervalMs: number;
}

/** Up to this share is added to a pause. */
const JITTER_RATIO = 0.2;

/** A message that sits out comes back within so long, for nothing but the others tell whether it is to blame. */
const LONGEST_SIT_OUT_MS = 600_000;

/** How long a message waits at least after `sitOuts` attempts that were not charged, in milliseconds. */
export function sitOutMs(sitOuts: number, { retryScheduleMs, schedulerIntervalMs }: RetrySettings): number {
  const scheduled = retryScheduleMs[Math.min(sitOuts, retryScheduleMs.length) - 1] ?? 0;
  return Math.max(Math.min(scheduled, LONGEST_SIT_OUT_MS), schedulerIntervalMs);
}

/** Spreads pauses, so that messages that failed together do not come back together. */
export function withJitter(pauseMs: number, random: number): number {
  return pauseMs * (1 + JITTER_RATIO * random);
}

/**
 * How long to wait after attempt number `attempt` (1-based) failed, in milliseconds; null: give up.
 * Past the schedule's end its last pause repeats. `retryAfterMs` is what the receiver asked for: it may lengthen a pause,
 * never shorten it. `random` is in [0, 1).
 */
export function retryDelayMs(
  attempt: number,
  settings: RetrySettings,
  retryAfterMs: number | null,
  random: number,
): number | null {
  if (attempt >= settings.maxAttempts) return null;
  const { retryScheduleMs } = settings;
  const scheduled = retryScheduleMs[Math.min(attempt, retryScheduleMs.length) - 1] ?? 0;
  const pauseMs = Math.max(withJitter(scheduled, random), retryAfterMs ?? 0);
  return Math.max(pauseMs, settings.schedulerIntervalMs);
}

/** No pause that the service writes is longer. */
export function longestPauseMs({ retryScheduleMs, schedulerIntervalMs }: Omit<RetrySettings, 'maxAttempts'>): number {
  return Math.max(withJitter(Math.max(...retryScheduleMs), 1), LONGEST_RETRY_AFTER_MS, schedulerIntervalMs);
}
