const LONGEST_MS = 500;
const SHORTEST_MS = 10;
const TROUBLED_FOR_MS = 10_000;

/**
 * How long a statement waits for a lock, in milliseconds: half a second, and less and less while locks that are not to be had
 * are met again and again, so that a hundred rows with such a lock do not hold up the others for a hundred half seconds.
 */
export class LockPatience {
  private current = LONGEST_MS;
  private untilMs = -Infinity;

  get ms(): number {
    return performance.now() < this.untilMs ? this.current : LONGEST_MS;
  }

  /** A lock was waited for in vain. */
  inVain(): void {
    this.current = Math.max(SHORTEST_MS, Math.floor(this.ms / 4));
    this.untilMs = performance.now() + TROUBLED_FOR_MS;
  }
}
