import type { Statement } from '../database.js';
import {
  atPlaces,
  claimable,
  CLAIMED,
  FRESH,
  freshFrom,
  HAS_LATER_TRIGGERS,
  IS_CLAIMED,
  LOCKED_CLAIMED,
  lockTimeout,
  RETRY,
  retryFrom,
  writable,
  writableAt,
} from './claim-conditions.js';
import { isInvalid } from './invalid-messages.js';

/** So many messages a probe passes over at most that are claimed, invalid, or kept in `unwritten_outcomes`. */
const SEEN_ROWS = 1_500;
/** Of those that may be claimed, so many are tried, for the case that others have them locked. */
const TRIED_ROWS = 1_000;

type Kind = 'fresh' | 'retry';

/** `$7` the fresh id before which there is none. */
const FRESH_FROM = freshFrom('$7');
const FRESH_SEEN = `edges AS (
      SELECT (SELECT id FROM messages WHERE ${FRESH} AND ${FRESH_FROM} ORDER BY id LIMIT 1) AS oldest,
        (SELECT id FROM messages WHERE ${FRESH} AND ${FRESH_FROM} AND id <= job.horizon ORDER BY id DESC LIMIT 1) AS newest
      FROM job
    ), seen AS MATERIALIZED (
      SELECT tableoid AS source, ctid AS place, id, claimed_by IS NULL AND NOT ${isInvalid()} AS fit FROM messages
      WHERE ${FRESH} AND ${FRESH_FROM} AND id <= (SELECT oldest + floor((newest - oldest) * $3::float8)::bigint FROM edges)
      ORDER BY id DESC LIMIT ${SEEN_ROWS}
    )`;

/** `$7`, `$8` the end of pause and id of the retry before which there is none. */
const RETRY_FROM = retryFrom('$7', '$8');
const FIRST_RETRY = `(SELECT greatest(next_attempt_at, timestamptz 'epoch') FROM messages WHERE ${RETRY} AND ${RETRY_FROM}
          ORDER BY next_attempt_at, id LIMIT 1)`;
const RETRY_SEEN = `seen AS MATERIALIZED (
      SELECT tableoid AS source, ctid AS place, id, claimed_by IS NULL AND NOT ${isInvalid()} AS fit FROM messages
      WHERE ${RETRY} AND ${RETRY_FROM}
        AND next_attempt_at <= (SELECT retry_horizon - greatest(retry_horizon - ${FIRST_RETRY}, interval '0') * (1 - $3::float8) FROM job)
      ORDER BY next_attempt_at DESC, id DESC LIMIT ${SEEN_ROWS}
    )`;

/**
 * `$3` from 0 to 1: where between the oldest and the newest to look, backwards from there. `$4` recipients that fared badly:
 * a message to another one is preferred, and the only one that is taken if `$5`. `$6` how many milliseconds a lock is waited for.
 * The job notes it apart (`probe_id`) from the range of its other claims, which would otherwise reach over the whole backlog.
 */
const claimProbe = (kind: Kind): Statement => ({
  name: `messages.claim-probe-${kind}`,
  text: `
    WITH job AS (
      SELECT claimed, horizon, retry_horizon FROM ${lockTimeout('$6')} AS patience, dispatch_jobs
      WHERE id = $1 AND fence = $2 AND closed_fence IS DISTINCT FROM $2 AND state = 'running' AND tail_since IS NULL AND budget > claimed
        AND (SELECT running FROM scheduler_state)
      FOR NO KEY UPDATE OF dispatch_jobs
    ), ${kind === 'fresh' ? FRESH_SEEN : RETRY_SEEN}, free AS MATERIALIZED (
      SELECT source, place FROM seen WHERE fit AND ${claimable('seen', 'seen.source', writableAt('seen'))} LIMIT ${TRIED_ROWS}
    ), probe AS (
      SELECT message.tableoid AS source, message.ctid AS place FROM messages message, ${atPlaces('free')}
        AND ${kind === 'fresh' ? FRESH : RETRY} AND claimed_by IS NULL
        AND (NOT $5::boolean OR recipient_phone <> ALL ($4::text[]))
      ORDER BY recipient_phone = ANY ($4::text[]), ${kind === 'fresh' ? '' : 'next_attempt_at DESC, '}id DESC
      LIMIT 1
      FOR NO KEY UPDATE OF message SKIP LOCKED
    ), claimed AS (
      UPDATE messages message SET claimed_by = $1, claim_fence = $2
      FROM ${atPlaces('probe')}
        AND message.sent_status = FALSE AND message.parked_as IS NULL AND message.claimed_by IS NULL
      RETURNING ${CLAIMED}, ${IS_CLAIMED} AS "isClaimed"
    ), charged AS (
      UPDATE dispatch_jobs SET claimed = ${LOCKED_CLAIMED} + 1, probe_id = (SELECT id FROM claimed)
      WHERE id = $1 AND EXISTS (SELECT FROM claimed WHERE "isClaimed")
    )
    SELECT *, ${HAS_LATER_TRIGGERS} AS "hasLaterTriggers" FROM claimed`,
});

export const CLAIM_PROBE_FRESH = claimProbe('fresh');
export const CLAIM_PROBE_RETRY = claimProbe('retry');

const heldProbe = (fence: string) => `
    job AS (
      SELECT claimed, probe_id FROM dispatch_jobs WHERE id = $1 AND fence = $2 FOR NO KEY UPDATE
    ), claim AS (
      SELECT message.id FROM messages message, job WHERE message.id = job.probe_id AND ${writable('message')} AND ${fence}
    ), held AS (
      SELECT message.id FROM messages message, job WHERE message.id = job.probe_id AND ${writable('message')} AND ${fence}
      FOR NO KEY UPDATE OF message SKIP LOCKED
    )`;

const MINE = 'message.sent_status = FALSE AND message.claimed_by = $1 AND message.claim_fence = $2';
const BEFORE_ME = 'message.sent_status = FALSE AND message.claimed_by = $1 AND message.claim_fence < $2';

export const RELEASE_PROBE: Statement = {
  name: 'messages.release-probe',
  text: `
    WITH ${heldProbe(MINE)}, freed AS (
      UPDATE messages message SET claimed_by = NULL, claim_fence = NULL
      WHERE message.id = (SELECT id FROM held) AND ${MINE}
      RETURNING message.claimed_by IS NULL AS is_free
    ), refunded AS (
      UPDATE dispatch_jobs SET claimed = ${LOCKED_CLAIMED} - 1
      WHERE id = $1 AND fence = $2 AND EXISTS (SELECT FROM freed WHERE is_free)
    )
    SELECT (SELECT count(*) FROM claim) - (SELECT count(*) FROM freed WHERE is_free) AS left`,
};

export const TAKE_PROBE_OVER: Statement = {
  name: 'messages.take-probe-over',
  text: `
    WITH ${heldProbe(BEFORE_ME)}, taken AS (
      UPDATE messages message SET claim_fence = $2
      WHERE message.id = (SELECT id FROM held) AND ${BEFORE_ME}
      RETURNING ${CLAIMED}
    )
    SELECT coalesce((SELECT json_agg(taken) FROM taken), '[]') AS taken,
      (SELECT count(*) FROM claim) - (SELECT count(*) FROM taken) AS left`,
};
