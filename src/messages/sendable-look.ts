import { z } from 'zod';
import type { Database, Statement } from '../database.js';
import { FRESH, LOWEST_ID, microsecondsOf, RETRY, timeOf } from './claim-conditions.js';
import { isBefore, type RetryPlace } from './claim-look.js';

/** So often everything is looked at from the start, whatever is known. */
const FULL_LOOK_INTERVAL_MS = 60_000;
/**
 * Ids are given out before their transaction has a number, and sequences may hand them out in blocks: so many below the newest
 * one may come late.
 */
const LATE_IDS = 1_000;
/** The same for the ends of pauses, in microseconds. */
const LATE_PAUSES_US = 60_000_000;
/** How many looks are remembered whose transactions may still be open. */
const LOOKS_KEPT = 16;

const foundSchema = z.object({
  fresh: z.number().nullable(),
  retry: z.tuple([z.number(), z.number()]).nullable(),
  isRetryDue: z.boolean(),
  newestId: z.number().nullable(),
  newestAct: z.number().nullable(),
  at: z.number(),
  fromStart: z.boolean(),
  openFrom: z.string(),
  openTo: z.string(),
});

/** What a look found: the first message of each kind, and how much of the table its snapshot could not see. */
type Found = z.infer<typeof foundSchema>;

/** Nothing that may be sent lies below. */
interface Floor {
  readonly fresh: number;
  readonly retries: RetryPlace;
}

/**
 * Tells whether there is a message to send or a claim to recover, as a part of the scheduler's look at the schedule, and
 * remembers below which ids and pauses there is none. Entries of messages that were sent stay in an index for as long as some
 * old snapshot might ask for them, as while a dump runs; without the floor each look and each claim would walk over all.
 *
 * The floor lies below the first message that was found, and below everything that a transaction may still commit that was
 * open during the look: those have ids beyond the newest one of an earlier look after which all of them began. Whatever comes
 * to lie below it in another way is found by a look from the start: after each act of an operator, after the table was emptied,
 * and once a minute.
 */
export class SendableLook {
  /**
   * `$1` the lowest id, `$2`, `$3` the end of pause and id from which to look, `$4` the newest act of an operator that the floor
   * takes into account. Each part reads the head of a partial index, whatever the statistics say: for a plain EXISTS the
   * planner would scan the whole table, in the hope of an early match.
   */
  readonly expression = `(
    SELECT json_build_object(
      'fresh', (SELECT id FROM messages WHERE ${FRESH} AND id >= floor.fresh ORDER BY id LIMIT 1),
      'retry', (SELECT json_build_array(${microsecondsOf('next_attempt_at')}, id) FROM messages
                WHERE ${RETRY} AND (next_attempt_at, id) >= (floor.retry_at, floor.retry_id)
                ORDER BY next_attempt_at, id LIMIT 1),
      'isRetryDue', coalesce((SELECT next_attempt_at FROM messages
                WHERE ${RETRY} AND (next_attempt_at, id) >= (floor.retry_at, floor.retry_id)
                ORDER BY next_attempt_at, id LIMIT 1) <= clock_timestamp(), FALSE),
      'newestId', floor.newest_id, 'newestAct', floor.newest_act, 'at', ${microsecondsOf('clock_timestamp()')},
      'fromStart', NOT floor.holds, 'openFrom', pg_snapshot_xmin(pg_current_snapshot())::text,
      'openTo', pg_snapshot_xmax(pg_current_snapshot())::text)
    FROM (
      SELECT newest_id, newest_act, holds, CASE WHEN holds THEN $1::bigint ELSE ${LOWEST_ID} END AS fresh,
        CASE WHEN holds THEN ${timeOf('$2::bigint')} ELSE '-infinity' END AS retry_at,
        CASE WHEN holds THEN $3::bigint ELSE ${LOWEST_ID} END AS retry_id
      FROM (
        SELECT newest_id, newest_act,
          coalesce($1::bigint <= newest_id AND newest_act IS NOT DISTINCT FROM $4::bigint, FALSE) AS holds
        FROM (SELECT (SELECT max(id) FROM messages) AS newest_id, (SELECT max(id) FROM operator_actions) AS newest_act OFFSET 0) AS newest
      ) AS known
      OFFSET 0
    ) AS floor)`;

  private readonly fromStart: Statement = {
    name: 'messages.look-from-start',
    text: `SELECT ${this.expression} AS found`,
  };
  private floor: Floor | null = null;
  private newestAct: number | null = null;
  private earlier: Found[] = [];
  private lookedFromStartAt = performance.now();
  private looking = false;

  constructor(private readonly database: Database) {}

  /** From which fresh id claims look; null: from the lowest. */
  get freshFrom(): number | null {
    return this.floor?.fresh ?? null;
  }

  /** From which end of a pause claims look; null: from the earliest. */
  get retriesFrom(): RetryPlace | null {
    return this.floor?.retries ?? null;
  }

  /** The parameters of `expression`. Once a minute it also looks from the start, beside the look for which these are. */
  values(): readonly unknown[] {
    if (this.floor !== null && performance.now() - this.lookedFromStartAt > FULL_LOOK_INTERVAL_MS) this.lookFromStart();
    const { floor } = this;
    return floor === null ? [null, null, null, null] : [floor.fresh, ...floor.retries, this.newestAct];
  }

  /** Takes what `expression` yielded; returns whether there is work. */
  exists(value: unknown): boolean {
    const found = foundSchema.parse(value);
    this.note(found);
    return found.fresh !== null || found.isRetryDue;
  }

  private note(found: Found): void {
    const last = this.earlier.at(-1);
    // Ids began again, or the newest messages were deleted: what was known of ids says nothing any more.
    if ((found.newestId ?? -Infinity) < (last?.newestId ?? -Infinity)) {
      this.floor = null;
      this.earlier = [];
    }
    // The newest of the looks after which every transaction began that was open during this one.
    const before = this.earlier.findLast(({ openTo }) => BigInt(openTo) <= BigInt(found.openFrom));
    this.remember(found, before);
    const bound = before === undefined ? this.floor : floorBelow(before);
    if (bound === null) return;
    const { fresh, retry } = found;
    this.floor = {
      fresh: Math.min(fresh ?? Infinity, bound.fresh),
      retries: retry !== null && isBefore(retry, bound.retries) ? retry : bound.retries,
    };
    if (!found.fromStart) return;
    this.newestAct = found.newestAct;
    this.lookedFromStartAt = performance.now();
  }

  private remember(found: Found, before: Found | undefined): void {
    const kept = this.earlier.filter(({ at }) => before === undefined || at >= before.at);
    // Every second of the older ones goes: some must be older than the longest transaction.
    this.earlier = [...(kept.length < LOOKS_KEPT ? kept : kept.filter((_, index) => index % 2 === 0)), found];
  }

  private lookFromStart(): void {
    if (this.looking) return;
    this.looking = true;
    this.database
      .query<{ found: unknown }>(this.fromStart, [null, null, null, null])
      .then(([row]) => this.exists(row?.found))
      .catch(() => {
        // The next look tries again; until then the floor holds.
      })
      .finally(() => {
        this.looking = false;
      });
  }
}

/** Below everything that a transaction may commit that began after the look. */
function floorBelow({ newestId, at }: Found): Floor | null {
  return newestId === null ? null : { fresh: newestId - LATE_IDS, retries: [at - LATE_PAUSES_US, 0] };
}
