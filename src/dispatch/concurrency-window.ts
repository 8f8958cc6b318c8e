const STALE_AFTER_MS = 1_000;
/** So many requests at once a receiver gets that accepted a message lately, after a pause or while some never answer. */
const FLOOR = 8;
/** An acceptance counts as late after so long. */
const LATELY_MS = 600_000;
const AVERAGED_ANSWERS = 8;

/**
 * How many requests may be in flight: 1 at first, then `FLOOR`, one more per success, half as many after a failure, once for
 * all that were in flight with it (the additive and multiplicative steps of TCP's slow start and back-off, RFC 5681). Below
 * the floor it goes only when refusals outnumber successes: a few numbers that are refused or never answer do not slow down
 * the others. Times are milliseconds of one monotonic clock.
 */
export class ConcurrencyWindow {
  private limit = 1;
  private succeededAt = -Infinity;
  private shrunkAt = -Infinity;
  private successes = 0;
  private refusals = 0;
  /** Whether the receiver bears less than the floor. */
  private belowFloor = false;
  private answerMs = 0;

  /** `ceiling` is read at every use: it may change at run time. */
  constructor(readonly ceiling: () => number) {}

  get size(): number {
    return Math.min(this.limit, this.ceiling());
  }

  /** How long the latest acceptances took, on average; 0: there was none. */
  get usualAnswerMs(): number {
    return this.answerMs;
  }

  succeeded(now: number, durationMs: number): void {
    this.succeededAt = now;
    this.answerMs += (durationMs - this.answerMs) / (this.answerMs === 0 ? 1 : AVERAGED_ANSWERS);
    this.successes += 1;
    this.limit = Math.min(this.belowFloor ? this.limit + 1 : Math.max(this.limit + 1, FLOOR), this.ceiling());
    if (this.limit >= FLOOR) this.belowFloor = false;
  }

  /** No answer came. That tells nothing about how much the receiver bears if it accepted another message meanwhile. */
  unanswered(startedAt: number, now: number): void {
    if (this.succeededAt <= startedAt) this.shrink(startedAt, now, this.hasFloor(now) ? FLOOR : 1);
  }

  /** The receiver said no for now, or no connection could be made. */
  turnedAway(startedAt: number, now: number): void {
    this.refusals += 1;
    if (this.limit > FLOOR) return this.shrink(startedAt, now, this.hasFloor(now) ? FLOOR : 1);
    if (this.hasFloor(now) && this.refusals <= this.successes) return;
    this.belowFloor = true;
    this.shrink(startedAt, now, 1);
  }

  /** The channel itself may be in trouble: back to one request at a time. */
  collapse(): void {
    this.limit = 1;
    this.succeededAt = -Infinity;
    this.belowFloor = false;
  }

  /** A new job begins; after a pause, what the receiver bore before says little (RFC 7661). */
  reopen(now: number): void {
    if (now - this.succeededAt <= STALE_AFTER_MS) return;
    this.limit = this.hasFloor(now) ? Math.min(this.limit, FLOOR) : 1;
  }

  private hasFloor(now: number): boolean {
    return now - this.succeededAt <= LATELY_MS;
  }

  /** Those that were in flight when it last shrank are the same failure. */
  private shrink(startedAt: number, now: number, least: number): void {
    if (startedAt < this.shrunkAt) return;
    this.shrunkAt = now;
    this.limit = Math.max(Math.min(this.limit, least), Math.floor(this.limit / 2));
    this.successes = 0;
    this.refusals = 0;
  }
}
