import type { ReplayResult } from './operation.schemas.js';
import { REFUSED_IDS_MAX } from './replay-limits.js';
import type { ReplaySlice } from './replay-statements.js';

/** What a replay has done so far. */
export class ReplayProgress {
  count = 0;
  refused = 0;
  locked = 0;
  noted: number | null = null;
  complete = false;
  private readonly refusedIds: number[] = [];
  private readonly start: number;

  constructor(public after: number) {
    this.start = after;
  }

  get isUntouched(): boolean {
    return this.after === this.start;
  }

  add({ last, count, refused, refused_ids, locked, noted }: ReplaySlice): void {
    this.complete = last === null;
    if (last === null) return;
    this.after = last;
    this.count += count;
    this.refused += refused;
    this.locked += locked;
    this.noted = noted;
    this.refusedIds.push(...refused_ids.slice(0, REFUSED_IDS_MAX - this.refusedIds.length));
  }

  get result(): Omit<ReplayResult, 'dry_run'> {
    const { complete, count, refused, locked } = this;
    return { count, complete, refused, refused_ids: this.refusedIds, locked, next_after: this.nextAfter };
  }

  /** For a replay that cannot go on. */
  get broken(): Omit<ReplayResult, 'dry_run' | 'complete'> {
    const { complete: _complete, ...rest } = this.result;
    return rest;
  }

  private get nextAfter(): number | null {
    return this.complete || this.isUntouched ? null : this.after;
  }
}
