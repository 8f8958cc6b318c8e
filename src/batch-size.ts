/** A statement that takes longer than this gets fewer rows next time: far below any limit, and short for who waits for a stop. */
const TARGET_MS = 1_000;

/**
 * How many rows one statement writes, learned from how long they take: a trigger of 20 ms for each row makes 500 rows
 * longer than the time limit of a statement.
 */
export class BatchSize {
  private limit: number;

  constructor(
    private readonly max: number,
    private readonly targetMs = TARGET_MS,
    start = max,
  ) {
    this.limit = start;
  }

  get rows(): number {
    return this.limit;
  }

  /** Whether the database is so slow that full batches take too long. */
  get isReduced(): boolean {
    return this.limit < this.max;
  }

  succeeded(rows: number, durationMs: number): void {
    if (durationMs > this.targetMs) this.limit = Math.max(1, Math.floor((rows * this.targetMs) / durationMs));
    else if (durationMs < this.targetMs / 4 && rows >= this.limit) this.limit = Math.min(this.max, this.limit * 2);
  }

  /**
   * The statement was cancelled, or refused for one of its rows. `parts`: how many times fewer rows the next one has; ten where
   * each further time limit costs the caller a good part of what it may take.
   */
  timedOut(rows: number, parts = 2): void {
    this.limit = Math.max(1, Math.min(this.limit, Math.floor(rows / parts)));
  }
}
