import type { Statement } from '../database.js';
import {
  atPlaces,
  CLAIMED,
  FRESH,
  freshFrom,
  lockTimeout,
  microsecondsOf,
  NOW,
  RETRY,
  retryFrom,
  writable,
  writableAt,
} from './claim-conditions.js';
import type { ClaimedMessage } from './message-claims.js';

/** A claim of a job that does not run, or of none that exists: as after a restore of a dump that was taken while a job ran. */
export interface StrayClaim extends ClaimedMessage {
  readonly job: number;
  readonly fence: number;
}

/** The stray claims of a slice, now in the caller's hands. */
export interface StraySlice<Place> {
  readonly taken: readonly StrayClaim[];
  /** Where to go on; null: at the start. */
  readonly next: Place | null;
  /** Whether the sweep is not over: `next` tells where to go on. */
  readonly again: boolean;
}

/** What may be sent is looked at, nothing else: neither history nor what is parked. */
const SLICE_ROWS = 20_000;
/** More than so many are taken by further looks at the same slice. */
export const TAKEN_ROWS = 500;

const JOB_RUNS = `EXISTS (SELECT FROM dispatch_jobs job WHERE job.id = claimed_by AND job.state = 'running')`;

/** One kind of messages: from where and in which order it is looked at, and what tells a place in it. */
interface Kind {
  readonly rows: string;
  readonly from: string;
  readonly order: string;
  readonly place: string;
}

const LOOK = `
      SELECT ${CLAIMED}, message.claimed_by AS job, coalesce(message.claim_fence, 0) AS fence
      FROM messages message, ${atPlaces('held')}`;

/** A trigger that waits for a lock is given half a second. */
const takeOf = (kind: Kind) => `
      UPDATE messages message SET claim_fence = coalesce(claim_fence, 0) + 1
      FROM ${atPlaces('held')} AND ${kind.rows} AND claimed_by IS NOT NULL
        AND ${lockTimeout(500)} IS NOT NULL
      RETURNING ${CLAIMED}, coalesce(message.claimed_by, (SELECT claimed_by FROM seen
          WHERE seen.source = found.source AND seen.place = found.place)) AS job, coalesce(message.claim_fence, 0) AS fence`;

/**
 * Takes the claims over by a fence of their own, so that of several replicas one settles each, and what a former owner writes
 * late is refused. Where a trigger puts the claim back, or takes it away, settling it tells. A claim that is made meanwhile is a
 * newer version of its row, which this statement cannot write. `$1` how many; with `isLook` they are left as they are.
 */
const take = (name: string, kind: Kind, isLook: boolean): Statement => ({
  name,
  text: `
    WITH seen AS MATERIALIZED (
      SELECT tableoid AS source, ctid AS place, id, next_attempt_at, claimed_by FROM messages WHERE ${kind.rows} AND ${kind.from}
      ORDER BY ${kind.order} LIMIT ${SLICE_ROWS}
    ), stray AS (
      SELECT source, place FROM seen WHERE claimed_by IS NOT NULL AND NOT ${JOB_RUNS} AND ${writableAt('seen')} LIMIT ${TAKEN_ROWS}
    ), held AS (
      SELECT message.tableoid AS source, message.ctid AS place FROM messages message, ${atPlaces('stray')}
        AND ${kind.rows} AND claimed_by IS NOT NULL AND NOT ${JOB_RUNS} AND ${writable('message')}
      LIMIT $1
      FOR NO KEY UPDATE OF message SKIP LOCKED
    ), taken AS (${isLook ? LOOK : takeOf(kind)}
    ), last AS (
      SELECT ${kind.place} AS place FROM seen ORDER BY ${kind.order} OFFSET ${SLICE_ROWS - 1}
    )
    SELECT coalesce((SELECT json_agg(taken ORDER BY id) FROM taken), '[]') AS taken, (SELECT place FROM last) AS next,
      (SELECT count(*) FROM stray) >= ${TAKEN_ROWS} OR (SELECT count(*) FROM held) >= $1 AS more`,
});

export interface StrayRow<Place> {
  readonly taken: readonly StrayClaim[];
  readonly next: Place | null;
  readonly more: boolean;
}

/** `$2` the id from which to look. */
const STRAY_FRESH: Kind = {
  rows: FRESH,
  from: freshFrom('$2'),
  order: 'id',
  place: 'id',
};
export const TAKE_STRAY_FRESH = take('messages.take-stray-fresh', STRAY_FRESH, false);
export const LOOK_AT_STRAY_FRESH = take('messages.look-at-stray-fresh', STRAY_FRESH, true);

/** `$2`, `$3` the end of the pause and the id from which to look. */
const STRAY_RETRIES: Kind = {
  rows: RETRY,
  from: `${retryFrom('$2', '$3')}
        AND next_attempt_at <= ${NOW}`,
  order: 'next_attempt_at, id',
  place: `json_build_array(${microsecondsOf('next_attempt_at')}, id)`,
};
export const TAKE_STRAY_RETRIES = take('messages.take-stray-retries', STRAY_RETRIES, false);
export const LOOK_AT_STRAY_RETRIES = take('messages.look-at-stray-retries', STRAY_RETRIES, true);

/** The slice, and where the next one begins: at the same place while it holds more than were taken. */
export function straySlice<Place>(
  [row]: readonly StrayRow<Place>[],
  from: Place | null,
  after: (place: Place) => Place,
): StraySlice<Place> {
  const { taken = [], next = null, more = false } = row ?? {};
  if (more && taken.length > 0) return { taken, next: from, again: true };
  return { taken, next: next === null ? null : after(next), again: next !== null };
}
