import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database.js';
import {
  CLAIMED,
  FRESH,
  freshFrom,
  hashOf,
  HIGHEST_ID,
  microsecondsOf,
  NOW,
  RETRY,
  retryFrom,
  WRITABLE,
  writableAt,
} from './claim-conditions.js';
import type { RetryPlace } from './claim-look.js';
import { CLAIMED_PLACES, CLAIMED_RANGES } from './claim-statements.js';
import { isInvalid } from './invalid-messages.js';
import type { ClaimedMessage, ClaimKey } from './message-claims.js';
import { PASSES_SOON, UNLESS_KEPT, type WriteRefusal } from './unwritten-outcomes.js';

export interface RefusedClaim {
  readonly id: number;
  readonly refusal: WriteRefusal;
}

/** A claim of a job that neither a settlement nor a release has ended. */
export interface OpenClaim {
  readonly message: ClaimedMessage;
  readonly fence: number;
}

const SLICE_ROWS = 500;
/** One statement begins to try messages for so long. */
const TRY_MS = 500;
/** Nearly as long as the process waits for an answer: what takes longer cannot be claimed. */
const RETRY_SLOW_AFTER_MS = 7_000;
const SEEN_ROWS = 20_000;
const OPEN_CLAIMS_ROWS = 500;

/** Finds the messages that PostgreSQL does not let the service claim, and those that it does not let it give back. */
@Injectable()
export class RefusedClaims {
  constructor(private readonly database: Database) {}

  /**
   * Tries the next messages of one kind that a claim of the job would take. The refused ones stand in `unwritten_outcomes` from
   * then on: with them those whose trigger waits for a lock, and one that takes longer than `slowAfterMs`, which is the last.
   */
  async trySlice(kind: RefusedKind, job: ClaimKey, from: SlicePlace | null, wish: SliceWish): Promise<TriedSlice> {
    const { rows = SLICE_ROWS, tryMs = TRY_MS, slowAfterMs, validOnly } = wish;
    const place = kind === 'fresh' ? [from?.[0] ?? null] : [from?.[0] ?? null, from?.[1] ?? null];
    const [slice] = await this.database.queryWithin<SliceRow>(
      tryMs + slowAfterMs,
      kind === 'fresh' ? SET_ASIDE_FRESH : SET_ASIDE_RETRIES,
      [rows, tryMs, slowAfterMs, job.id, job.fence, validOnly, ...place],
    );
    if (slice === undefined) return { refused: [], tried: 0, good: 0, isCut: false, next: null };
    const refused = slice.refused.map(({ id, sqlstate, reason: text }) => ({ id, refusal: { sqlstate, text } }));
    return { ...slice, refused };
  }

  /** The place of the last message of that kind that may be sent; null: there is none. */
  async lastPlace(kind: RefusedKind): Promise<number | null> {
    const [row] = await this.database.query<{ place: number }>(kind === 'fresh' ? LAST_FRESH : LAST_RETRY);
    return row?.place ?? null;
  }

  /** Those of the messages that PostgreSQL lets the service claim by now, or that need no claim any more, as far as they were tried. */
  async nowTaken(ids: readonly number[]): Promise<number[]> {
    const rows = await this.database.queryWithin<{ id: number }>(TRY_MS + RETRY_SLOW_AFTER_MS, NOW_TAKEN, [
      ids,
      TRY_MS,
      RETRY_SLOW_AFTER_MS,
    ]);
    return rows.map(({ id }) => id);
  }

  /**
   * Up to 500 claims of a job, of its owner `fence` and all before it, that are still open. Changes and locks none of them:
   * it is asked when they cannot be changed.
   */
  async openClaims(job: ClaimKey): Promise<OpenClaim[]> {
    const rows = await this.database.query<ClaimedMessage & { fence: number }>(OPEN_CLAIMS, [job.id, job.fence]);
    return rows.map(({ fence, ...message }) => ({ message, fence }));
  }
}

export type RefusedKind = 'fresh' | 'retries';

/** A fresh id; or the end of a pause and the id of a retry. */
export type SlicePlace = readonly [number] | RetryPlace;

interface SliceWish {
  readonly rows?: number;
  /** It begins to try messages for so long. */
  readonly tryMs?: number;
  readonly slowAfterMs: number;
  /** Whether the claim passes over messages that cannot be sent as they stand. */
  readonly validOnly: boolean;
}

export interface TriedSlice {
  readonly refused: readonly RefusedClaim[];
  readonly tried: number;
  /** How many can be claimed. */
  readonly good: number;
  /** Whether some of it is left to try. */
  readonly isCut: boolean;
  /** The place from which to go on; null: there is nothing more. */
  readonly next: SlicePlace | null;
}

type SliceRow = Omit<TriedSlice, 'refused'> & {
  readonly refused: readonly { readonly id: number; readonly sqlstate: string | null; readonly reason: string }[];
};

const HASH_OF_TRIED = `(SELECT ${hashOf('message')} FROM messages message
        WHERE message.id = tried_id AND sent_status = FALSE AND parked_as IS NULL AND claimed_by IS NULL LIMIT 1)`;

/**
 * `$1` how many are tried, of `SEEN_ROWS` that are looked at, `$2` milliseconds, and `$3` those after which one is slow, `$4`, `$5`
 * the job, `$6` whether those are left out that cannot be sent as they stand, `$7` and `$8` the place from which to look. One that
 * waits for a lock or is slow is tried again soon.
 */
const setAside = (name: string, seen: string, order: string, next: string): Statement => ({
  name,
  text: `
    WITH seen AS MATERIALIZED (
      SELECT tableoid AS source, ctid AS place, id, next_attempt_at, claimed_by IS NULL AND NOT ($6::bool AND ${isInvalid()}) AS fit
      FROM messages WHERE ${seen} ORDER BY ${order} LIMIT ${SEEN_ROWS}
    ), candidate AS MATERIALIZED (
      SELECT id, next_attempt_at FROM seen WHERE fit AND ${writableAt('seen')} LIMIT $1
    ), tried AS MATERIALIZED (
      SELECT * FROM dispatcher_try_claims(ARRAY(SELECT id FROM candidate), $4, $5, $2::int * interval '1 ms', $3::int * interval '1 ms')
    ), kept AS (
      INSERT INTO unwritten_outcomes (message_id, message_hash, known_at, sqlstate, reason, retry_at)
      SELECT DISTINCT ON (tried_id) tried_id, ${HASH_OF_TRIED}, clock_timestamp(), refused_sqlstate, refused_by,
        clock_timestamp() + CASE WHEN refused_sqlstate IN ${PASSES_SOON} THEN interval '1 s' ELSE interval '10 s' END
      FROM tried WHERE is_refused
      ${UNLESS_KEPT}
    ), counted AS (
      SELECT (SELECT count(*) FROM tried) AS tried, (SELECT count(*) FROM tried WHERE is_refused = FALSE) AS good,
        (SELECT count(*) FROM candidate) AS candidates
    ), last AS (
      SELECT * FROM (SELECT id, next_attempt_at FROM candidate
        WHERE (SELECT tried < candidates OR candidates >= $1 FROM counted)
        OFFSET (SELECT greatest(tried - 1, 0) FROM counted) LIMIT 1) AS tried
      UNION ALL
      SELECT * FROM (SELECT id, next_attempt_at FROM seen OFFSET ${SEEN_ROWS - 1}) AS seen
      LIMIT 1
    )
    SELECT (SELECT ${next} FROM last) AS next, tried, good, tried < candidates AS "isCut", (
        SELECT coalesce(json_agg(json_build_object('id', tried_id, 'sqlstate', refused_sqlstate, 'reason', refused_by)), '[]')
        FROM tried WHERE is_refused) AS refused
    FROM counted`,
});

export const SET_ASIDE_FRESH = setAside(
  'messages.set-refused-claims-aside',
  `${FRESH} AND ${freshFrom('$7')}`,
  'id',
  'json_build_array(id + 1)',
);
export const SET_ASIDE_RETRIES = setAside(
  'messages.set-refused-retries-aside',
  `${RETRY} AND ${retryFrom('$7', '$8')}
        AND next_attempt_at <= ${NOW}`,
  'next_attempt_at, id',
  `json_build_array(${microsecondsOf('next_attempt_at')}, id + 1)`,
);

const LAST_FRESH: Statement = {
  name: 'messages.last-fresh-place',
  text: `SELECT id AS place FROM messages WHERE ${FRESH} AND id <= ${HIGHEST_ID} ORDER BY id DESC LIMIT 1`,
};

const LAST_RETRY: Statement = {
  name: 'messages.last-retry-place',
  text: `
    SELECT ${microsecondsOf('next_attempt_at')} AS place FROM messages
    WHERE ${RETRY} AND next_attempt_at <= ${NOW} ORDER BY next_attempt_at DESC, id DESC LIMIT 1`,
};

const NOW_TAKEN: Statement = {
  name: 'messages.claims-now-taken',
  text: `
    SELECT tried_id AS id FROM dispatcher_try_claims($1::bigint[], 0, 0, $2::int * interval '1 ms', $3::int * interval '1 ms')
    WHERE NOT is_refused`,
};

const OPEN = `claimed_by = $1 AND claim_fence <= $2 AND ${WRITABLE}`;

const OPEN_CLAIMS: Statement = {
  name: 'messages.open-claims',
  text: `
    WITH job AS MATERIALIZED (
      SELECT ${CLAIMED_PLACES}, probe_id FROM dispatch_jobs WHERE id = $1
    ), claim AS (
      (SELECT id FROM messages WHERE ${CLAIMED_RANGES.fresh(OPEN)})
      UNION ALL
      (SELECT id FROM messages WHERE ${CLAIMED_RANGES.retries(OPEN)})
      UNION
      SELECT id FROM messages
      WHERE id = (SELECT probe_id FROM job) AND sent_status = FALSE AND parked_as IS NULL AND ${OPEN}
      LIMIT ${OPEN_CLAIMS_ROWS}
    )
    SELECT ${CLAIMED}, message.claim_fence AS fence FROM claim, messages message WHERE message.id = claim.id`,
};
