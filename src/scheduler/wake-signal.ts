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

  /** Resolves at `performance.now() >= deadline`, or as soon as `wake` was called since the last wait began. */
  async waitUntil(deadline: number): Promise<void> {
    while (!this.pending) {
      const restMs = deadline - performance.now();
      if (restMs <= 0) return;
      await this.nap(Math.min(Math.ceil(restMs), LONGEST_NAP_MS));
    }
    this.pending = false;
  }

  private async nap(napMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, napMs);
      this.ring = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.ring = null;
  }
}
