import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { BatchSize } from '../batch-size.js';
import { ApiDatabase } from '../database.js';
import type { Actor } from '../caller.js';
import { dataReply, isTransientRefusal, tookTooLong } from '../database-refusal.js';
import { reasonOf } from '../reason-of.js';
import { ReplayBrokenOff, ReplayBusy } from './message-errors.js';
import type { Replay, ReplayResult } from './operation.schemas.js';
import { ReplayProgress } from './replay-progress.js';
import { FIRE_DEFERRED } from './message-operations.js';
import { REFUSED_IDS_MAX } from './replay-limits.js';
import {
  BEGIN,
  COUNT_SLICE,
  NEXT_ROW,
  NOTE_REST,
  REPLAY_SLICE,
  TAKE_BACK,
  type ReplaySlice,
} from './replay-statements.js';

/** Well below the 30 s after which the server cuts a connection on which nothing was sent. */
const CALL_MS = 20_000;
/** A few hundred milliseconds each, on a slow disk too. */
const REPLAY_SLICE_ROWS = 5_000;
const COUNT_SLICE_ROWS = 50_000;
/** Each keeps one of the API's connections busy. */
const REPLAYS_AT_ONCE = 3;

/**
 * Sends parked messages again by filter, slice by slice in the order of their ids. Each slice is a statement of its own that
 * also counts itself into the replay's one note, so that an interrupted replay has done and noted the same; repeating it
 * goes on with the rest. What is parked after the call began is left alone. A call that would take too long, or that the
 * end of the process interrupts, ends with `complete: false`. Rows that PostgreSQL refuses to change, or that are locked, are
 * passed over and told.
 */
@Injectable()
export class MessageReplay implements BeforeApplicationShutdown {
  private readonly logger = new Logger('MessageReplay');
  private readonly stopping = new AbortController();
  private underWay = 0;

  constructor(private readonly database: ApiDatabase) {}

  /**
   * Sends every parked message that matches again; with `dry_run` only counts them.
   * @throws ReplayBusy when others are under way here, ReplayBrokenOff when it cannot go on after it has sent some again.
   */
  async replay(filter: Replay, actor: Actor): Promise<ReplayResult> {
    if (this.underWay >= REPLAYS_AT_ONCE) throw new ReplayBusy(REPLAYS_AT_ONCE);
    this.underWay += 1;
    try {
      return await this.replaySlices(filter, actor);
    } finally {
      this.underWay -= 1;
    }
  }

  private async replaySlices(filter: Replay, actor: Actor): Promise<ReplayResult> {
    const { dry_run, state, parked_from, parked_before, reason_contains } = filter;
    const [begun] = await this.database.query<{ at: string; hasLaterTriggers: boolean }>(BEGIN);
    const matching = [state, parked_from ?? null, parked_before ?? null, reason_contains ?? null, begun?.at];
    const filterNote = JSON.stringify({ state, parked_from, parked_before, reason_contains });
    const note = [actor.by, actor.reason, filterNote, actor.onBehalfOf];
    const progress = new ReplayProgress(filter.after ?? Number.MIN_SAFE_INTEGER);
    const size = new BatchSize(dry_run ? COUNT_SLICE_ROWS : REPLAY_SLICE_ROWS);

    const until = performance.now() + CALL_MS;
    for (;;) {
      const { after, noted } = progress;
      const { rows } = size;
      const startedAt = performance.now();
      let slice: ReplaySlice | undefined;
      try {
        [slice] = dry_run
          ? await this.database.query<ReplaySlice>(COUNT_SLICE, [...matching, after, rows])
          : await this.oneSlice([...matching, after, rows, noted, ...note], begun?.hasLaterTriggers ?? false);
        size.succeeded(rows, performance.now() - startedAt);
      } catch (error) {
        slice = await this.afterFailure(error, state, progress, size).catch((cause: unknown) => {
          throw dry_run || progress.count === 0 ? cause : new ReplayBrokenOff(progress.broken, cause);
        });
        if (slice === undefined && performance.now() > until && progress.isUntouched) throw error;
        if (slice === undefined) progress.complete = false;
      }
      if (slice !== undefined) progress.add(slice);
      if (progress.complete || performance.now() > until || this.stopping.signal.aborted) break;
    }
    await this.noteRest(progress);
    return { dry_run, ...progress.result };
  }

  /** Where triggers run later, what they put back is looked for in the same transaction, and counts as refused. */
  private async oneSlice(values: readonly unknown[], hasLaterTriggers: boolean): Promise<ReplaySlice[]> {
    if (!hasLaterTriggers) return await this.database.query<ReplaySlice>(REPLAY_SLICE, [...values, false]);
    return await this.database.transaction(async (ask) => {
      const slices = await ask<ReplaySlice>(REPLAY_SLICE, [...values, true]);
      const [slice] = slices;
      if (slice?.changed == null) return slices;
      await ask(FIRE_DEFERRED);
      const [putBack] = await ask<{ ids: readonly number[] }>(TAKE_BACK, [slice.changed, slice.noted]);
      const ids = putBack?.ids ?? [];
      return [
        {
          ...slice,
          count: slice.count - ids.length,
          refused: slice.refused + ids.length,
          refused_ids: [...slice.refused_ids, ...ids].toSorted((a, b) => a - b).slice(0, REFUSED_IDS_MAX),
        },
      ];
    });
  }

  /**
   * Makes the next slice smaller, down to the one row that cannot be changed, which is passed over then. Returns what to add to
   * the progress; undefined: the slice is to be tried again in parts.
   */
  private async afterFailure(
    error: unknown,
    state: string,
    { after, noted }: ReplayProgress,
    size: BatchSize,
  ): Promise<ReplaySlice | undefined> {
    const isTransient = isTransientRefusal(error);
    if (!isTransient && dataReply(error) === null) throw error;
    if (size.rows > 1) {
      size.timedOut(size.rows, tookTooLong(error) ? 10 : 2);
      return undefined;
    }
    const [row] = await this.database.query<{ id: number }>(NEXT_ROW, [state, after]);
    const last = row?.id ?? null;
    const refused = row === undefined || isTransient ? [] : [row.id];
    const locked = row !== undefined && isTransient ? 1 : 0;
    return { last, count: 0, refused: refused.length, refused_ids: refused, locked, noted };
  }

  private async noteRest({ noted, refused, locked }: ReplayProgress): Promise<void> {
    if (noted === null || refused + locked === 0) return;
    // The caller is told the same; that nothing more can be noted makes nothing of it untrue.
    await this.database
      .query(NOTE_REST, [noted, refused, locked])
      .catch((error: unknown) =>
        this.logger.warn(`the note of a replay lacks what it could not change: ${reasonOf(error)}`),
      );
  }

  beforeApplicationShutdown(): void {
    this.stopping.abort();
  }
}
