const STALE_AFTER_MS = 1_000;

/**
 * How many requests may be in flight: 1 at first, one more per success, half as many after a failure (the additive and
 * multiplicative steps of TCP's slow start and back-off, RFC 5681).
 */
export class ConcurrencyWindow {
  private limit = 1;
  private lastOutcomeAt = -Infinity;

  /** `ceiling` is read at every use: it may change at run time. */
  constructor(private readonly ceiling: () => number) {}

  get size(): number {
    return Math.min(this.limit, this.ceiling());
  }

  /** `now` in milliseconds of any clock that runs on, the same for all calls. */
  succeeded(now: number): void {
    this.lastOutcomeAt = now;
    this.limit = Math.min(this.limit + 1, this.ceiling());
  }

  failed(): void {
    this.limit = Math.max(1, Math.floor(this.limit / 2));
  }

  /** The channel itself may be in trouble: back to one request at a time. */
  collapse(): void {
    this.limit = 1;
  }

  /** A new job begins; after a pause, what the receiver bore before says little, and it starts at 1 again (RFC 7661). */
  reopen(now: number): void {
    if (now - this.lastOutcomeAt > STALE_AFTER_MS) this.limit = 1;
  }
}
