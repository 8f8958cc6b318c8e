import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database.js';
import { CLAIMED, FRESH, LOWEST_ID, RETRY, timeOf, WRITABLE } from './claim-conditions.js';
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
const OPEN_CLAIMS_ROWS = 500;

/** Finds the messages that PostgreSQL does not let the service claim, and those that it does not let it give back. */
@Injectable()
export class RefusedClaims {
  constructor(private readonly database: Database) {}

  /**
   * Tries the messages that a claim would take, oldest first, until some are refused, all are tried or `untilMs` (of
   * `performance.now()`) is over. The refused ones stand in `unwritten_outcomes` from then on and are returned.
   */
  async setAside(untilMs: number): Promise<RefusedClaim[]> {
    let after: number | null = null;
    while (performance.now() < untilMs) {
      const limitMs = Math.max(1, Math.round(untilMs - performance.now()));
      const rows: SetAsideRow[] = await this.database.query<SetAsideRow>(SET_ASIDE, [after, SLICE_ROWS, limitMs]);
      const refused = rows.filter(({ is_refused }) => is_refused);
      if (refused.length > 0)
        return refused.map(({ id, sqlstate, reason }) => ({ id, refusal: { sqlstate, text: reason ?? '' } }));
      after = rows.at(-1)?.last_id ?? null;
      if (after === null) return [];
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

interface SetAsideRow {
  readonly id: number;
  /** null when none could be tried. */
  readonly is_refused: boolean | null;
  readonly sqlstate: string | null;
  readonly reason: string | null;
  /** The highest id of the slice; the due retries are all in the first one. */
  readonly last_id: number | null;
}

const CLAIMABLE = `claimed_by IS NULL AND ${WRITABLE}`;

/** `$1` the id to go on after, `$2` rows, `$3` milliseconds. */
const SET_ASIDE: Statement = {
  name: 'messages.set-aside-refused-claims',
  text: `
    WITH fresh AS MATERIALIZED (
      SELECT id FROM messages
      WHERE ${FRESH} AND ${CLAIMABLE} AND ($1::bigint IS NULL OR id > $1::bigint)
      ORDER BY id LIMIT $2
    ), due AS MATERIALIZED (
      SELECT id FROM messages
      WHERE ${RETRY} AND ${CLAIMABLE} AND next_attempt_at <= clock_timestamp() AND $1::bigint IS NULL
      ORDER BY next_attempt_at LIMIT $2
    ), tried AS MATERIALIZED (
      SELECT * FROM try_claims(ARRAY(SELECT id FROM fresh UNION ALL SELECT id FROM due), $3::int * interval '1 ms')
    ), kept AS (
      INSERT INTO unwritten_outcomes (message_id, known_at, sqlstate, reason, retry_at)
      SELECT tried_id, clock_timestamp(), refused_sqlstate, refused_by, clock_timestamp() + interval '10 s'
      FROM tried WHERE is_refused
      ON CONFLICT (message_id) DO NOTHING
    )
    SELECT tried_id AS id, is_refused, refused_sqlstate AS sqlstate, refused_by AS reason,
      slice.last_id
    FROM (SELECT max(id) AS last_id FROM fresh) AS slice LEFT JOIN tried ON TRUE`,
};

const OPEN = `claimed_by = $1 AND claim_fence <= $2 AND ${WRITABLE}`;

const NOW_TAKEN: Statement = {
  name: 'messages.claims-now-taken',
  text: `SELECT tried_id AS id FROM try_claims($1::bigint[], $2::int * interval '1 ms') WHERE NOT is_refused`,
};

// The ranges in which the claims of the job lie, as `claim-statements.ts` has them.
const OPEN_CLAIMS: Statement = {
  name: 'messages.open-claims',
  text: `
    WITH job AS MATERIALIZED (
      SELECT coalesce(claimed_from, ${LOWEST_ID}) AS fresh_from, claimed_to AS fresh_to,
        ${timeOf('retries_from[1]')} AS first_at, ${timeOf('retries_to[1]')} AS last_at, probe_id
      FROM dispatch_jobs WHERE id = $1
    ), claim AS (
      SELECT id FROM messages
      WHERE ${FRESH} AND id BETWEEN (SELECT fresh_from FROM job) AND (SELECT fresh_to FROM job) AND ${OPEN}
      UNION ALL
      SELECT id FROM messages
      WHERE ${RETRY} AND next_attempt_at BETWEEN (SELECT first_at FROM job) AND (SELECT last_at FROM job) AND ${OPEN}
      UNION
      SELECT id FROM messages
      WHERE id = (SELECT probe_id FROM job) AND sent_status = FALSE AND parked_as IS NULL AND ${OPEN}
      LIMIT ${OPEN_CLAIMS_ROWS}
    )
    SELECT ${CLAIMED}, message.claim_fence AS fence FROM claim, messages message WHERE message.id = claim.id`,
};
