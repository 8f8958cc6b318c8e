/** Of the time, retention uses at most so much, one part in ten; the rest is sending's. */
const REST_PER_WORK = 9;
/** While sending is behind, or waits for a connection: each rest is twice as long as the one before, up to this many times. */
const SLOWEST = 32;
const SHORTEST_MS = 20;
const LONGEST_MS = 10_000;

/** How long retention rests between two batches: the longer, the longer sending has been held up. */
export class RetentionPace {
  private factor = 1;

  /** The rest after a batch that took `workedMs`. */
  restMs(workedMs: number, sendingIsBehind: boolean): number {
    this.factor = sendingIsBehind ? Math.min(SLOWEST, this.factor * 2) : Math.max(1, this.factor / 2);
    return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, workedMs * REST_PER_WORK) * this.factor);
  }
}
