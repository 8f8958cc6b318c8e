/**
 * Which slots must come due, by arithmetic on absolute grids: the k-th slot of a grid is its origin plus k intervals.
 * It knows nothing of queues, jobs or replicas. Times are milliseconds of the database's clock.
 */
export class SlotOracle {
  running = false;
  /** Slots that came due, ever. */
  total = 0;
  lastSlotAt: number | null = null;
  private origin = 0;
  private counted = 0;

  constructor(public intervalMs: number) {}

  get nextSlotAt(): number {
    return this.origin + this.counted * this.intervalMs;
  }

  /** A new grid begins at `max(now, last slot + I)`, or at once when there was no slot yet. */
  start(now: number): void {
    if (this.running) return;
    this.running = true;
    this.beginGrid(now);
  }

  /** Slots that nobody looked at until now are discarded with the waiting jobs. */
  stop(): void {
    this.running = false;
  }

  changeInterval(now: number, intervalMs: number): void {
    if (intervalMs === this.intervalMs) return;
    this.intervalMs = intervalMs;
    if (this.running) this.beginGrid(now);
  }

  /** Of two records of the last slot the later one wins, unless it lies in the future. */
  adopt(lastSlotAt: number, now: number): void {
    if (lastSlotAt > now || (this.lastSlotAt !== null && lastSlotAt <= this.lastSlotAt)) return;
    this.lastSlotAt = lastSlotAt;
    this.origin = lastSlotAt + this.intervalMs;
    this.counted = 0;
  }

  moveBack(shiftMs: number): void {
    this.origin -= shiftMs;
    if (this.lastSlotAt !== null) this.lastSlotAt -= shiftMs;
  }

  /** The slots that came due up to `now` and were not taken before, in order. */
  takeDue(now: number): number[] {
    const due: number[] = [];
    if (!this.running || now < this.origin) return due;
    const count = Math.floor((now - this.origin) / this.intervalMs) + 1;
    for (let index = this.counted; index < count; index += 1) due.push(this.origin + index * this.intervalMs);
    if (due.length === 0) return due;
    this.counted = count;
    this.total += due.length;
    this.lastSlotAt = this.origin + (count - 1) * this.intervalMs;
    return due;
  }

  private beginGrid(now: number): void {
    this.origin = this.lastSlotAt === null ? now : Math.max(now, this.lastSlotAt + this.intervalMs);
    this.counted = 0;
  }
}
