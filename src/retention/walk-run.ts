import { databaseFaultOf, refusalOf } from '../database-fault.js';
import { BatchSize } from '../batch-size.js';
import type { Progress, RetentionStore, Step } from './retention-store.js';
import type { BatchResult, Place, Walk } from './walk.js';

const ROWS_MAX = 5_000;
/** A batch that takes longer gets fewer rows next time: what it locks, and what vacuum waits for, stays short. */
const TARGET_MS = 250;
/** Rows that are tried one by one in a statement: more subtransactions than 64 slow the snapshots of all others. */
const SINGLY_ROWS = 60;
const DAY_MS = 86_400_000;
/** So often a walk begins at the start again, for rows that came with an old time since. */
const ANEW_MS = 7 * DAY_MS;
/** The same where rows were refused: their trigger or key may be gone. */
const ANEW_REFUSED_MS = DAY_MS;

/**
 * One walk through one table, batch by batch. A row that PostgreSQL refuses is stepped over: the batch that met it is done
 * again row by row, and the next ones too until no more are refused. One that is locked or claimed is left to the next walk,
 * which begins before it.
 */
export class WalkRun {
  private readonly size = new BatchSize(ROWS_MAX, TARGET_MS);
  private bySingleRows = false;
  private place: Place | null;
  /** Where the next walk begins: before the first row that was locked. */
  private resumeFrom: Place | null = null;
  private skippedSome = false;
  private readonly startsAnew: boolean;
  private unsaved = { done: 0, refused: 0, reason: null as string | null, startsAnew: false };
  private isOver = false;

  constructor(
    private readonly walk: Walk,
    private readonly days: number,
    private readonly store: RetentionStore,
    progress: Progress | null,
  ) {
    const restMs = (progress?.refused ?? 0) > 0 ? ANEW_REFUSED_MS : ANEW_MS;
    this.startsAnew = progress === null || progress.days !== days || progress.begunMsAgo > restMs;
    this.place = this.startsAnew ? null : (progress?.place ?? null);
    this.unsaved.startsAnew = this.startsAnew;
  }

  /** Whether everything that is old enough was looked at. */
  get ended(): boolean {
    return this.isOver;
  }

  /**
   * Does one batch.
   * @throws what fails for every row: an outage, a missing right.
   */
  async step(): Promise<void> {
    const { singly } = this.walk;
    try {
      if (this.bySingleRows && singly !== null) await this.stepSingly(singly.statement);
      else await this.stepMany();
    } catch (error) {
      const fault = databaseFaultOf(error);
      const rows = this.bySingleRows ? this.singleRows : this.size.rows;
      if (fault === 'outage' || fault === 'denied' || singly === null) throw error;
      if (rows > 1 && (fault === 'slow' || this.bySingleRows)) this.size.timedOut(rows);
      else if (fault === 'slow' || this.bySingleRows) await this.stepOver(refusalOf(error).text);
      else this.bySingleRows = true;
    }
  }

  /** Writes down how far it is, when that is more than was written before or the walk is over. */
  async save(): Promise<void> {
    const { done, refused, reason, startsAnew } = this.unsaved;
    const place = this.walk.hasPlace ? (this.skippedSome ? this.resumeFrom : this.place) : null;
    const step: Step = { days: this.days, place, startsAnew, ends: this.isOver, done, refused, reason };
    await this.store.save(this.walk.name, step);
    this.unsaved = { done: 0, refused: 0, reason: null, startsAnew: false };
  }

  private async stepMany(): Promise<void> {
    const { rows } = this.size;
    const began = performance.now();
    const result = await this.store.batch(this.walk, rows, this.days, this.place);
    this.size.succeeded(rows, performance.now() - began);
    const putBack = await this.putBack(result, rows);
    this.unsaved.done += result.done - putBack;
    // A trigger silently kept some: which, the same rows tell one by one.
    if (result.kept + putBack > 0 && this.walk.singly !== null) this.bySingleRows = true;
    else this.goOn(result, rows);
  }

  /** How many of those that were done are as they were before, because triggers ran after they were counted. */
  private async putBack(result: BatchResult, rows: number): Promise<number> {
    const { singly } = this.walk;
    const { done, kept, skipped, last, hasLaterTriggers } = result;
    if (singly === null || last === null || done === 0 || hasLaterTriggers !== true) return 0;
    const left = await this.store.left(singly.left, rows, this.place, last);
    return Math.max(0, Math.min(done, left - kept - skipped));
  }

  private async stepSingly(statement: Parameters<RetentionStore['singly']>[0]): Promise<void> {
    const rows = this.singleRows;
    const result = await this.store.singly(statement, rows, this.days, this.place);
    this.unsaved.done += result.done;
    this.unsaved.refused += result.refused;
    if (result.refused > 0) this.unsaved.reason = result.reason;
    else {
      // From here many at once again, a few at first.
      this.bySingleRows = false;
      this.size.timedOut(2 * SINGLY_ROWS);
    }
    this.goOn(result, rows);
  }

  private get singleRows(): number {
    return Math.min(SINGLY_ROWS, this.size.rows);
  }

  /** A single row takes longer than a statement may: it is left as it is. */
  private async stepOver(reason: string): Promise<void> {
    const { singly } = this.walk;
    if (singly === null) return;
    const result = await this.store.singly(singly.look, 1, this.days, this.place);
    this.unsaved.refused += result.seen;
    this.unsaved.reason = reason;
    this.goOn(result, 1);
  }

  private goOn({ seen, skipped, last }: { seen: number; skipped: number; last: Place | null }, rows: number): void {
    if (skipped > 0 && !this.skippedSome) {
      this.skippedSome = true;
      this.resumeFrom = this.place;
    }
    if (last !== null) this.place = last;
    this.isOver = seen < rows;
  }
}
