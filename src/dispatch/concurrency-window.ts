/** After so many bad outcomes in a row the channel counts as down. */
const BAD_IN_A_ROW = 10;
const STALE_AFTER_MS = 1_000;

/**
 * How many requests may be in flight: 1 at first, one more per success, half as many after a failure (the additive and
 * multiplicative steps of TCP's slow start and back-off, RFC 5681). With a receiver that stays bad it is a circuit breaker
 * whose next job's first request is the half-open probe, with nothing to configure.
 */
export class ConcurrencyWindow {
  private limit = 1;
  private badInARow = 0;
  private lastOutcomeAt = -Infinity;

  /** `ceiling` is read at every use: it may change at run time. */
  constructor(private readonly ceiling: () => number) {}

  get size(): number {
    return Math.min(this.limit, this.ceiling());
  }

  /** Whether the channel has been bad for so long that the job should end. */
  get closed(): boolean {
    return this.badInARow >= BAD_IN_A_ROW;
  }

  /** `now` in milliseconds of any clock that runs on, the same for all calls. */
  succeeded(now: number): void {
    this.lastOutcomeAt = now;
    this.badInARow = 0;
    this.limit = Math.min(this.limit + 1, this.ceiling());
  }

  failed(): void {
    this.badInARow += 1;
    this.limit = Math.max(1, Math.floor(this.limit / 2));
  }

  /** The receiver answered, though not with success: it is alive. */
  answered(): void {
    this.badInARow = 0;
  }

  /** The channel itself is in trouble: back to one request at a time. */
  collapse(): void {
    this.limit = 1;
  }

  /** A new job tries anew; after a pause, what the receiver bore before says little, and it starts at 1 again (RFC 7661). */
  reopen(now: number): void {
    this.badInARow = 0;
    if (now - this.lastOutcomeAt > STALE_AFTER_MS) this.limit = 1;
  }
}
