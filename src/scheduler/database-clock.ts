/** One reading of the database's clock, between two of the monotonic one. Milliseconds. */
export interface ClockReading {
  readonly databaseAt: number;
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** Clocks that are being slewed run up to 0.05 % fast or slow; a jump is more than that and half a second. */
const SLEW_RATIO = 0.001;
const JUMP_MS = 500;

/**
 * By how much the database's clock jumped between two readings: negative when it was set back, 0 when it ran as a clock
 * does. It is measured against this process's monotonic clock and errs towards 0, whatever the queries' latency.
 */
export function clockJumpMs(before: ClockReading, after: ClockReading): number {
  const elapsed = after.databaseAt - before.databaseAt;
  const atLeast = after.askedAt - before.answeredAt;
  const atMost = after.answeredAt - before.askedAt;
  const tolerance = JUMP_MS + atMost * SLEW_RATIO;
  if (elapsed < atLeast - tolerance) return elapsed - atLeast;
  if (elapsed > atMost + tolerance) return elapsed - atMost;
  return 0;
}
