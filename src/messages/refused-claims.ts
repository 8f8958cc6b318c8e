import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database.js';
import { CLAIMED, FRESH, LOWEST_ID, microsecondsOf, NOW, RETRY, timeOf, WRITABLE } from './claim-conditions.js';
import type { RetryPlace } from './claim-look.js';
import { CLAIMED_PLACES, CLAIMED_RANGES } from './claim-statements.js';
import type { ClaimedMessage, ClaimKey } from './message-claims.js';
import type { WriteRefusal } from './unwritten-outcomes.js';

export interface RefusedClaim {
  readonly id: number;
  readonly refusal: WriteRefusal;
}

/** A claim of a job that neither a settlement nor a release has ended. */
export interface OpenClaim {
  readonly message: ClaimedMessage;
  readonly fence: number;
}

const SLICE_ROWS = 1_000;
const SEEN_ROWS = 20_000;
const OPEN_CLAIMS_ROWS = 500;

/** Finds the messages that PostgreSQL does not let the service claim, and those that it does not let it give back. */
@Injectable()
export class RefusedClaims {
  constructor(private readonly database: Database) {}

  /**
   * Tries the messages that a claim would take, slices of both kinds in turn, until some are refused, all are tried or
   * `untilMs` (of `performance.now()`) is over. The refused ones stand in `unwritten_outcomes` from then on and are returned.
   */
  async setAside(
    untilMs: number,
    { fresh, retries }: SetAsideFrom = { fresh: null, retries: null },
  ): Promise<RefusedClaim[]> {
    const kinds: [Statement, unknown[] | null][] = [
      [SET_ASIDE_FRESH, [fresh]],
      [SET_ASIDE_RETRIES, [...(retries ?? [null, null])]],
    ];
    while (performance.now() < untilMs && kinds.some(([, from]) => from !== null)) {
      const refused: RefusedClaim[] = [];
      for (const kind of kinds) {
        const [statement, from] = kind;
        if (from === null) continue;
        const limitMs = Math.max(1, Math.round(untilMs - performance.now()));
        const [slice] = await this.database.query<SetAsideSlice>(statement, [SLICE_ROWS, limitMs, ...from]);
        for (const { id, sqlstate, reason } of slice?.refused ?? [])
          refused.push({ id, refusal: { sqlstate, text: reason } });
        kind[1] = slice?.next ?? null;
      }
      if (refused.length > 0) return refused;
    }
    return [];
  }

  /** Those of the messages that PostgreSQL lets the service claim by now, or that need no claim any more. */
  async nowTaken(ids: readonly number[], limitMs: number): Promise<number[]> {
    const rows = await this.database.query<{ id: number }>(NOW_TAKEN, [ids, Math.max(1, Math.round(limitMs))]);
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

/** From which fresh id, and from which end of pause and id of a retry; null: from the start. */
interface SetAsideFrom {
  readonly fresh: number | null;
  readonly retries: RetryPlace | null;
}

interface SetAsideSlice {
  readonly refused: readonly { readonly id: number; readonly sqlstate: string | null; readonly reason: string }[];
  /** The place from which to go on; null: there is nothing more. */
  readonly next: unknown[] | null;
}

/** `$1` how many are tried, of `SEEN_ROWS` that are looked at, `$2` milliseconds, `$3` and `$4` the place from which to look. */
const setAside = (name: string, seen: string, order: string, next: string): Statement => ({
  name,
  text: `
    WITH seen AS MATERIALIZED (
      SELECT id, next_attempt_at, claimed_by FROM messages WHERE ${seen} ORDER BY ${order} LIMIT ${SEEN_ROWS}
    ), candidate AS MATERIALIZED (
      SELECT id, next_attempt_at FROM seen WHERE claimed_by IS NULL AND ${WRITABLE} LIMIT $1
    ), tried AS MATERIALIZED (
      SELECT * FROM try_claims(ARRAY(SELECT id FROM candidate), $2::int * interval '1 ms')
    ), kept AS (
      INSERT INTO unwritten_outcomes (message_id, known_at, sqlstate, reason, retry_at)
      SELECT tried_id, clock_timestamp(), refused_sqlstate, refused_by, clock_timestamp() + interval '10 s'
      FROM tried WHERE is_refused
      ON CONFLICT (message_id) DO NOTHING
    ), last AS (
      SELECT * FROM (SELECT id, next_attempt_at FROM candidate OFFSET $1 - 1) AS tried
      UNION ALL
      SELECT * FROM (SELECT id, next_attempt_at FROM seen OFFSET ${SEEN_ROWS - 1}) AS seen
      LIMIT 1
    )
    SELECT (SELECT ${next} FROM last) AS next, (
        SELECT coalesce(json_agg(json_build_object('id', tried_id, 'sqlstate', refused_sqlstate, 'reason', refused_by)), '[]')
        FROM tried WHERE is_refused) AS refused`,
});

export const SET_ASIDE_FRESH = setAside(
  'messages.set-refused-claims-aside',
  `${FRESH} AND id >= coalesce($3::bigint, ${LOWEST_ID})`,
  'id',
  'json_build_array(id + 1)',
);
export const SET_ASIDE_RETRIES = setAside(
  'messages.set-refused-retries-aside',
  `${RETRY} AND (next_attempt_at, id) >= (${timeOf('$3::bigint')}, coalesce($4::bigint, ${LOWEST_ID}))
        AND next_attempt_at <= ${NOW}`,
  'next_attempt_at, id',
  `json_build_array(${microsecondsOf('next_attempt_at')}, id + 1)`,
);

const NOW_TAKEN: Statement = {
  name: 'messages.claims-now-taken',
  text: `SELECT tried_id AS id FROM try_claims($1::bigint[], $2::int * interval '1 ms') WHERE NOT is_refused`,
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
