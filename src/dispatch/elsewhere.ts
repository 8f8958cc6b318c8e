/** For so long it counts that another replica's message got through. */
const COUNTS_MS = 60_000;

/**
 * Whether other replicas' messages get through while none of this one's does: then its own way is in trouble, and not the
 * receiver. It looks at the time of the newest success in the fleet, and only compares such times with each other.
 */
export class Elsewhere {
  /** null: it has not looked. */
  private newest: number | null = null;
  private advancedAt = -Infinity;

  /** Notes the newest success of the fleet, -Infinity where there is none. Call it only while nothing gets through here. */
  looked(newest: number, now: number): void {
    if (this.newest !== null && newest > this.newest) this.advancedAt = now;
    this.newest = newest;
  }

  /** Something got through here. */
  forget(): void {
    this.newest = null;
    this.advancedAt = -Infinity;
  }

  works(now: number): boolean {
    return now - this.advancedAt < COUNTS_MS;
  }
}
