/** `setTimeout` fires at once for longer delays than 24.8 days; a minute also bounds what a suspended machine sleeps past. */
const LONGEST_NAP_MS = 60_000;

/** What a loop waits on: a point of the monotonic clock, or a call of `wake`, which is remembered when nobody waits. */
export class WakeSignal {
  private pending = false;
  private ring: (() => void) | null = null;

  wake(): void {
    this.pending = true;
    this.ring?.();
  }

  /**
   * Resolves at `performance.now() >= deadline`, or as soon as `wake` was called since the last wait began; says whether it
   * was called.
   */
  async waitUntil(deadline: number): Promise<boolean> {
    while (!this.pending) {
      const restMs = deadline - performance.now();
      if (restMs <= 0) return false;
      await this.nap(Math.min(Math.floor(restMs), LONGEST_NAP_MS));
    }
    this.pending = false;
    return true;
  }

  /** Timers count whole milliseconds; the last, broken one is spent turning. */
  private async nap(wholeMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = wholeMs > 0 ? setTimeout(resolve, wholeMs) : null;
      const turn = wholeMs > 0 ? null : setImmediate(resolve);
      this.ring = () => {
        if (timer !== null) clearTimeout(timer);
        if (turn !== null) clearImmediate(turn);
        resolve();
      };
    });
    this.ring = null;
  }
}
