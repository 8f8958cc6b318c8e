/** A replica whose job was taken over because it did not renew. Time of the database's clock, in milliseconds. */
export interface SilentOwner {
  readonly owner: string;
  readonly takenOverAt: number;
}

/**
 * Until when a replica that went silent may have requests under way. It began none after its lease, so that none outlasts
 * the take-over by more than the webhook timeout. That is reckoned once, when the take-over is first seen, and counted on the
 * monotonic clock from then on: a jump of the database's clock changes nothing.
 */
export class SilenceWatch {
  private seen: SilentOwner | null = null;
  private quietFrom = -Infinity;

  /** Call it with each observation. */
  looked(silent: SilentOwner | null, now: number, at: number, timeoutMs: number): void {
    if (silent === null) return;
    if (silent.owner === this.seen?.owner && silent.takenOverAt === this.seen.takenOverAt) return;
    this.seen = silent;
    const restMs = Math.min(Math.max(silent.takenOverAt + timeoutMs - now, 0), timeoutMs);
    this.quietFrom = Math.max(this.quietFrom, at + restMs);
  }

  /** For how long the owner that went silent last may still have requests under way; 0: it has none. */
  doubtMs(at: number): number {
    return Math.max(0, this.quietFrom - at);
  }
}
