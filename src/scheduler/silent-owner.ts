/** A replica whose job was taken over because it did not renew. Time of the database's clock, in milliseconds. */
export interface SilentOwner {
  readonly owner: string;
  readonly takenOverAt: number;
  /** How long its requests may take at most; null: it did not write that down. */
  readonly requestLimitMs: number | null;
}

/**
 * Until when a replica that went silent may have requests under way. It began none after its lease, so that none outlasts
 * the take-over by more than the webhook timeout of that replica, which may be larger than the one in force here. That is reckoned once, when the take-over is first seen, and counted on the
 * monotonic clock from then on: a jump of the database's clock changes nothing.
 */
export class SilenceWatch {
  private seen: SilentOwner | null = null;
  private quietFrom = -Infinity;

  /** Call it with each observation. `timeoutMs`: the webhook timeout of this replica, where that of the other is not known. */
  looked(silent: SilentOwner | null, now: number, at: number, timeoutMs: number): void {
    if (silent === null) return;
    if (silent.owner === this.seen?.owner && silent.takenOverAt === this.seen.takenOverAt) return;
    this.seen = silent;
    const limitMs = silent.requestLimitMs ?? timeoutMs;
    const restMs = Math.min(Math.max(silent.takenOverAt + limitMs - now, 0), limitMs);
    this.quietFrom = Math.max(this.quietFrom, at + restMs);
  }

  /** For how long the owner that went silent last may still have requests under way; 0: it has none. */
  doubtMs(at: number): number {
    return Math.max(0, this.quietFrom - at);
  }
}
