import { Logger } from '@nestjs/common';
import { z } from 'zod';
import { FRESH, HIGHEST_ID, INEXACT_ID, LOWEST_ID, microsecondsOf, RETRY, timeOf } from './claim-conditions.js';
import { isBefore, type RetryPlace } from './claim-look.js';

/** A look from the start that takes no longer than this is made every time: nothing needs to be remembered. */
const CHEAP_LOOK_MS = 5;
/** One that takes longer is made this often at most, and for this share of the time at most. */
const FULL_LOOK_INTERVAL_MS = 1_000;
const FULL_LOOK_SHARE = 0.05;
/** A full look is made this often at least, however long it takes. */
const FULL_LOOK_INTERVAL_MAX_MS = 60_000;
/** The floor stays so many ids, and so much of the pauses' ends, below the newest: a commit may come late. */
const LATE_IDS = 1_000;
const LATE_PAUSES_US = 60_000_000;

const foundSchema = z.object({
  fresh: z.number().nullable(),
  /** The end of its pause, its id, and whether the pause is over: its end is cut to the present. */
  retry: z.tuple([z.number(), z.number(), z.boolean()]).nullable(),
  newestId: z.number().nullable(),
  newestAct: z.number().nullable(),
  /** When the look began and ended, in microseconds. */
  from: z.number(),
  at: z.number(),
  fromStart: z.boolean(),
  inexactId: z.string().nullable(),
});

/** What a look found: the first message of each kind. */
type Found = z.infer<typeof foundSchema>;

/** Nothing that may be sent lies below. */
interface Floor {
  readonly fresh: number;
  readonly retries: RetryPlace;
}

/**
 * Tells whether there is a message to send or a claim to recover, as a part of the scheduler's look at the schedule.
 *
 * Each look begins at the start of the indexes while that is cheap, so whatever becomes sendable, in any order of ids and by
 * anybody, is found at once. Entries of messages that were sent stay in an index for as long as some old snapshot might ask
 * for them, as while a dump runs, and a look from the start walks over all. When it takes longer than 5 ms, the looks between
 * begin at a floor: the first message that was found, or a little below the newest one. A look from the start is then made for
 * a twentieth of the time, once a minute at least, after each act of an operator, and when ids begin again; what somebody makes
 * sendable below the floor waits for that.
 */
export class SendableLook {
  /**
   * `$1` the lowest id, `$2`, `$3` the end of pause and id from which to look, `$4` the newest act of an operator that the floor
   * takes into account. Each part reads the head of a partial index, whatever the statistics say: for a plain EXISTS the
   * planner would scan the whole table, in the hope of an early match.
   */
  readonly expression = `(
    SELECT json_build_object(
      'from', ${microsecondsOf('clock_timestamp()')},
      'fresh', (SELECT id FROM messages WHERE ${FRESH} AND id >= floor.fresh ORDER BY id LIMIT 1),
      'retry', (SELECT json_build_array(${microsecondsOf('next_attempt_at')}, id, next_attempt_at <= clock_timestamp())
                FROM messages
                WHERE ${RETRY} AND (next_attempt_at, id) >= (floor.retry_at, floor.retry_id)
                ORDER BY next_attempt_at, id LIMIT 1),
      'newestId', floor.newest_id, 'newestAct', floor.newest_act, 'at', ${microsecondsOf('clock_timestamp()')},
      'fromStart', NOT floor.holds, 'inexactId', ${INEXACT_ID})
    FROM (
      SELECT newest_id, newest_act, holds, CASE WHEN holds THEN $1::bigint ELSE ${LOWEST_ID} END AS fresh,
        CASE WHEN holds THEN ${timeOf('$2::bigint')} ELSE '-infinity' END AS retry_at,
        CASE WHEN holds THEN $3::bigint ELSE ${LOWEST_ID} END AS retry_id
      FROM (
        SELECT newest_id, newest_act,
          coalesce($1::bigint <= newest_id AND newest_act IS NOT DISTINCT FROM $4::bigint, FALSE) AS holds
        FROM (SELECT (SELECT max(id) FROM messages WHERE id <= ${HIGHEST_ID}) AS newest_id, (SELECT max(id) FROM operator_actions) AS newest_act OFFSET 0) AS newest
      ) AS known
      OFFSET 0
    ) AS floor)`;

  private floor: Floor | null = null;
  private newestAct: number | null = null;
  private inexactId: string | null = null;
  private readonly logger = new Logger('Dispatch');
  /** Monotonic: until then a look begins at the floor, if the last one from the start was dear. */
  private fullLookAt = -Infinity;

  constructor(private readonly cheapLookMs = CHEAP_LOOK_MS) {}

  /** From which fresh id claims look; null: from the lowest. */
  get freshFrom(): number | null {
    return this.floor?.fresh ?? null;
  }

  /** From which end of a pause claims look; null: from the earliest. */
  get retriesFrom(): RetryPlace | null {
    return this.floor?.retries ?? null;
  }

  /** The parameters of `expression`. */
  values(): readonly unknown[] {
    const { floor } = this;
    if (floor === null || performance.now() >= this.fullLookAt) return [null, null, null, null];
    return [floor.fresh, ...floor.retries, this.newestAct];
  }

  /** Takes what `expression` yielded; returns whether there is work. */
  exists(value: unknown): boolean {
    const found = foundSchema.parse(value);
    if (found.fromStart) this.noteFullLook(found);
    else if (this.floor !== null) this.floor = floorOf(found);
    this.noteInexact(found.inexactId);
    const [, , isRetryDue] = found.retry ?? [0, 0, false];
    return found.fresh !== null || isRetryDue;
  }

  /** Why some messages are never looked at, for people; null: there are none. */
  get trouble(): string | null {
    return this.inexactId === null
      ? null
      : `messages with ids beyond ${Number.MAX_SAFE_INTEGER}, such as ${this.inexactId}, are never sent: give them other ids`;
  }

  private noteInexact(id: string | null): void {
    const isNews = (id === null) !== (this.inexactId === null);
    this.inexactId = id;
    if (!isNews) return;
    if (this.trouble === null) this.logger.log('No unsent message has an id that is too large any more');
    else this.logger.warn(this.trouble);
  }

  private noteFullLook(found: Found): void {
    const tookMs = (found.at - found.from) / 1_000;
    this.newestAct = found.newestAct;
    // Claims begin there whatever the look cost: a plan of theirs may walk over all that was sent.
    this.floor = floorOf(found);
    this.fullLookAt =
      tookMs <= this.cheapLookMs
        ? -Infinity
        : performance.now() +
          Math.min(FULL_LOOK_INTERVAL_MAX_MS, Math.max(FULL_LOOK_INTERVAL_MS, tookMs / FULL_LOOK_SHARE));
  }
}

/** The first message of each kind, or, where there is none or it is among the newest, a little below the newest. */
function floorOf({ fresh, retry, newestId, at }: Found): Floor | null {
  if (newestId === null) return null;
  const late: RetryPlace = [at - LATE_PAUSES_US, 0];
  const first: RetryPlace | null = retry === null ? null : [retry[0], retry[1]];
  return {
    fresh: Math.min(fresh ?? Infinity, newestId - LATE_IDS),
    retries: first !== null && isBefore(first, late) ? first : late,
  };
}
