export interface RetrySettings {
  readonly maxAttempts: number;
  readonly retryScheduleMs: readonly number[];
  /** The interval of the schedule: a failing message sits out at least the next slot, so that it blocks nobody. */
  readonly schedulerIntervalMs: number;
}

/** Up to this share is added to a pause, so that messages that failed together do not come back together. */
const JITTER_RATIO = 0.2;

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
  const pauseMs = Math.max(scheduled * (1 + JITTER_RATIO * random), retryAfterMs ?? 0);
  return Math.max(pauseMs, settings.schedulerIntervalMs);
}
