import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { ApiDatabase, type Statement } from '../database.js';
import type { Actor } from '../caller.js';
import { isDatabaseOutage } from '../database-outage.js';
import { isTransientRefusal, tookTooLong } from '../database-refusal.js';
import { ReplayBrokenOff, ReplayBusy } from './message-errors.js';
import { SEND_AGAIN } from './message-operations.js';
import type { Replay, ReplayResult } from './operation.schemas.js';

/** Well below the 30 s after which the server cuts a connection on which nothing was sent. */
const CALL_MS = 20_000;
/** A few hundred milliseconds each, on a slow disk too. */
const REPLAY_SLICE_ROWS = 5_000;
const COUNT_SLICE_ROWS = 50_000;
/** A slice that took too long is made smaller, down to so many rows. */
const SLICE_ROWS_MIN = 50;
/** Each keeps one of the API's connections busy. */
const REPLAYS_AT_ONCE = 3;

interface Slice {
  /** The highest id that was looked at; null when nothing was left. */
  readonly last: number | null;
  readonly count: number;
  /** The note of this replay, once there is one. */
  readonly noted: number | null;
}

/**
 * Sends parked messages again by filter, slice by slice in the order of their ids. Each slice is a statement of its own that
 * also counts itself into the replay's one note, so that an interrupted replay has done and noted the same; repeating it
 * goes on with the rest. What is parked after the call began is left alone. A call that would take too long, or that the
 * end of the process interrupts, ends with `complete: false`.
 */
@Injectable()
export class MessageReplay implements BeforeApplicationShutdown {
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
    const [begun] = await this.database.query<{ at: string }>(BEGIN);
    const matching = [state, parked_from ?? null, parked_before ?? null, reason_contains ?? null, begun?.at];
    const filterNote = JSON.stringify({ state, parked_from, parked_before, reason_contains });
    const note = [actor.by, actor.reason, filterNote, actor.onBehalfOf];
    const next = async (after: number, rows: number, noted: number | null) =>
      dry_run
        ? await this.database.query<Slice>(COUNT_SLICE, [...matching, after, rows])
        : await this.database.query<Slice>(REPLAY_SLICE, [...matching, after, rows, noted, ...note]);

    const until = performance.now() + CALL_MS;
    let rows = dry_run ? COUNT_SLICE_ROWS : REPLAY_SLICE_ROWS;
    let count = 0;
    let after = Number.MIN_SAFE_INTEGER;
    let noted: number | null = null;
    for (;;) {
      const slice: Slice | 'too slow' | undefined = await next(after, rows, noted).then(
        ([found]) => found,
        (error: unknown) => {
          if (tookTooLong(error) && rows > SLICE_ROWS_MIN) return 'too slow';
          const brokenOff = count > 0 && !dry_run && (isDatabaseOutage(error) || isTransientRefusal(error));
          throw brokenOff ? new ReplayBrokenOff(count, error) : error;
        },
      );
      if (slice === 'too slow') rows = Math.max(SLICE_ROWS_MIN, Math.floor(rows / 10));
      else if (slice === undefined || slice.last === null) return { count, dry_run, complete: true };
      else {
        count += slice.count;
        after = slice.last;
        noted = slice.noted;
      }
      if (performance.now() > until || this.stopping.signal.aborted) return { count, dry_run, complete: false };
    }
  }

  beforeApplicationShutdown(): void {
    this.stopping.abort();
  }
}

const BEGIN: Statement = { name: 'messages.replay-begins', text: `SELECT clock_timestamp()::text AS at` };

/** `$1` to `$4` the filter, `$5` when the replay began, `$6` the highest id that is done. */
const MATCHING = `parked_as = $1 AND sent_status = FALSE AND (parked_at IS NULL OR parked_at < $5::timestamptz)
        AND ($2::timestamptz IS NULL OR parked_at >= $2::timestamptz)
        AND ($3::timestamptz IS NULL OR parked_at < $3::timestamptz)
        AND ($4::text IS NULL OR position($4 IN parked_reason) > 0)`;

/**
 * `$7` rows that are looked at, whether they match or not: a slice's cost then does not hang on the filter. Their ids alone, so that
 * the partial index is all that is read; arrays, because joins of so many rows tempt the planner to read the whole table.
 */
const SEEN = `
    WITH seen AS MATERIALIZED (
      SELECT id FROM messages WHERE parked_as = $1 AND sent_status = FALSE AND id > $6::bigint ORDER BY id LIMIT $7
    )`;
const OF_THOSE = `id = ANY (ARRAY(SELECT id FROM seen)) AND ${MATCHING}`;

export const COUNT_SLICE: Statement = {
  name: 'messages.count-replay',
  text: `${SEEN}
    SELECT (SELECT max(id) FROM seen) AS last, (SELECT count(*) FROM messages WHERE ${OF_THOSE}) AS count, NULL AS noted`,
};

/** `$8` the note, or null before there is one, `$9` who, `$10` why, `$11` the filter as it is noted, `$12` for whom. */
export const REPLAY_SLICE: Statement = {
  name: 'messages.replay',
  // Locked in the order of ids: two replays at once then wait for each other and never deadlock.
  text: `${SEEN}, matching AS MATERIALIZED (
      SELECT id FROM messages WHERE ${OF_THOSE} AND claimed_by IS NULL
      ORDER BY id FOR UPDATE
    ), changed AS (
      UPDATE messages SET ${SEND_AGAIN} WHERE id = ANY (ARRAY(SELECT id FROM matching)) RETURNING id
    ), total AS (
      SELECT count(*) AS count FROM changed
    ), first AS (
      INSERT INTO operator_actions (actor, on_behalf_of, action, reason, detail)
      SELECT $9, $12, 'replay', $10, $11::jsonb || jsonb_build_object('count', count)
      FROM total WHERE $8::bigint IS NULL AND count > 0 RETURNING id
    ), further AS (
      UPDATE operator_actions
      SET detail = detail || jsonb_build_object('count', (detail->>'count')::bigint + total.count)
      FROM total WHERE id = $8::bigint AND total.count > 0
    )
    SELECT (SELECT max(id) FROM seen) AS last, (SELECT count FROM total) AS count,
      coalesce($8::bigint, (SELECT id FROM first)) AS noted`,
};
