/** A turn makes a few bounded queries; one that takes longer than this hangs. */
const HANGS_AFTER_MS = 30_000;
/** A slot that nobody took is worth telling after this. */
const OVERDUE_AFTER_MS = 5_000;

/** What went wrong for a while, and since when. */
export interface Ailments {
  /** The schedule can be read or written no more. */
  readonly turnsFailSince: Date | null;
  /** Its time came, and this replica has not seen it taken. */
  readonly slotOverdueSince: Date | null;
}

/** How the scheduler's loop is doing. Times without a date are monotonic. */
export class Pulse {
  private turnBeganAt: number | null = null;
  private failsFrom: Date | null = null;
  private nextSlotAt: number | null = null;
  private ended = false;

  /** Why the process should be restarted, in words for a public probe; null while the loop turns, or rests between two turns. */
  hangs(at: number): string | null {
    if (this.ended) return 'The scheduler loop has ended, and the log says why; restart the process';
    const sinceMs = this.turnBeganAt === null ? 0 : at - this.turnBeganAt;
    if (sinceMs <= HANGS_AFTER_MS) return null;
    return `The scheduler loop has hung in one turn for ${Math.round(sinceMs / 1000)} s; restart the process`;
  }

  ailments(at: number): Ailments {
    const overdueMs = this.nextSlotAt === null ? 0 : at - this.nextSlotAt;
    return {
      turnsFailSince: this.failsFrom,
      slotOverdueSince: overdueMs > OVERDUE_AFTER_MS ? new Date(Date.now() - overdueMs) : null,
    };
  }

  turnBegins(at: number): void {
    this.turnBeganAt = at;
  }

  /** `nextSlotAt`: null while sending is stopped. */
  turned(nextSlotAt: number | null): void {
    this.nextSlotAt = nextSlotAt;
  }

  turnEnds(succeeded: boolean): void {
    this.turnBeganAt = null;
    if (succeeded) this.failsFrom = null;
    else this.failsFrom ??= new Date();
  }

  loopEnds(): void {
    this.ended = true;
  }
}
