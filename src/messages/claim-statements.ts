import type { Statement } from '../database.js';
import {
  atPlaces,
  claimable,
  CLAIMED,
  FRESH,
  freshFrom,
  hashOf,
  HAS_LATER_TRIGGERS,
  HIGHEST_ID,
  IS_CLAIMED,
  KEPT_AS_IT_WAS,
  LOCKED_CLAIMED,
  lockTimeout,
  LOWEST_ID,
  microsecondsOf,
  RETRY,
  retryFrom,
  timeOf,
  WRITABLE,
} from './claim-conditions.js';
import { isInvalid } from './invalid-messages.js';
import { UNLESS_KEPT } from './unwritten-outcomes.js';

/** What is inserted, or due again, after a job was opened goes out in the next one. */
export const OPEN: Statement = {
  name: 'messages.open-job',
  text: `
    WITH opened AS (
      UPDATE dispatch_jobs SET
        horizon = coalesce(horizon, (SELECT max(id) FROM messages WHERE id <= ${HIGHEST_ID}), 0),
        retry_horizon = coalesce(retry_horizon, clock_timestamp())
      WHERE id = $1 AND fence = $2 AND (horizon IS NULL OR retry_horizon IS NULL)
    )
    SELECT installation_id FROM scheduler_state`,
};

/** A release or a take-over looks at what it has to do with the job's row in hand. */
const PATIENCE = `${lockTimeout(500)} AS patience`;

const claimingJob = (patienceMs: `$${number}`) => `FROM ${lockTimeout(patienceMs)} AS patience, dispatch_jobs
      WHERE id = $1 AND fence = $2 AND closed_fence IS DISTINCT FROM $2 AND state = 'running'
        AND tail_since IS NULL AND (SELECT running FROM scheduler_state)
      FOR NO KEY UPDATE OF dispatch_jobs`;

/**
 * The claimed messages in few columns, as `ClaimTuple` has them: each one costs as much as the text of a message. What came
 * before is NULL for nearly all. The last row, without an id, tells how far was looked.
 */
const CLAIM_RESULT = `SELECT id, "recipientPhone", content, "createdAt",
        CASE WHEN attempts > 0 OR "sitOuts" > 0 OR doubt IS NOT NULL OR "dueAt" IS NOT NULL OR NOT "isClaimed"
          THEN json_build_array(attempts, "sitOuts", doubt, "dueAt", "isClaimed") END
      FROM claimed
    UNION ALL SELECT NULL, NULL, NULL, NULL, row_to_json(look) FROM look
    ORDER BY id`;

const MAY_CLAIM = claimable('messages', 'messages.tableoid', WRITABLE);
const FRESH_FROM = freshFrom('$4');
const RETRY_FROM = retryFrom('$5', '$6');

/**
 * `$3` how many, `$4` the fresh id and `$5`, `$6` the end of pause and id of the retry from which to look, `$7` whether fresh
 * ones and `$8` whether retries are asked for. While both are, every second place of the budget is a retry's; the job's id
 * tells whether the first one is, so that of jobs with a budget of one every second begins with it. `$9` how many milliseconds
 * a lock is waited for.
 *
 * One statement looks at `candidates` messages of each kind at most, however many are locked by others. The rows are locked
 * where they lie and written by that place; the whole condition is repeated there, so that whatever a place may hold, a
 * message that is sent, parked or claimed is never claimed. One that somebody changed between the statement's snapshot and
 * its lock lies elsewhere by now: it is left for the next claim.
 *
 * `fit` keeps some of the candidates from being taken, such as those that cannot be sent.
 */
const taking = (candidates: number, fit = '') => `job AS (
      SELECT claimed, least($3::int, budget - claimed) AS wanted, claimed + $1::bigint AS place, horizon, retry_horizon
      ${claimingJob('$9')}
    ), share AS (
      SELECT wanted, CASE WHEN NOT $8::bool THEN 0 WHEN $7::bool THEN (place + wanted + 1) / 2 - (place + 1) / 2 ELSE wanted END
        AS retries
      FROM job
    ), last_retry AS (
      SELECT next_attempt_at, id FROM messages
      WHERE ${RETRY} AND ${RETRY_FROM} AND next_attempt_at <= (SELECT retry_horizon FROM job)
        AND (SELECT retries FROM share) > 0
      ORDER BY next_attempt_at, id OFFSET ${candidates - 1} LIMIT 1
    ), retry AS (
      SELECT tableoid AS source, ctid AS place FROM messages
      WHERE ${RETRY} AND claimed_by IS NULL AND ${RETRY_FROM}
        AND (next_attempt_at, id) <= (coalesce((SELECT next_attempt_at FROM last_retry), (SELECT retry_horizon FROM job)),
          coalesce((SELECT id FROM last_retry), ${HIGHEST_ID})) AND ${MAY_CLAIM}${fit}
      ORDER BY next_attempt_at, id
      LIMIT coalesce((SELECT retries FROM share), 0)
      FOR NO KEY UPDATE SKIP LOCKED
    ), last_fresh AS (
      SELECT id FROM messages
      WHERE ${FRESH} AND ${FRESH_FROM} AND id <= (SELECT horizon FROM job)
        AND $7::bool AND (SELECT wanted FROM job) > 0
      ORDER BY id OFFSET ${candidates - 1} LIMIT 1
    ), fresh AS (
      SELECT tableoid AS source, ctid AS place FROM messages
      WHERE ${FRESH} AND claimed_by IS NULL AND ${FRESH_FROM}
        AND id <= coalesce((SELECT id FROM last_fresh), (SELECT horizon FROM job)) AND ${MAY_CLAIM}${fit}
      ORDER BY id
      LIMIT CASE WHEN $7::bool THEN coalesce((SELECT wanted FROM job), 0) - (SELECT count(*) FROM retry) ELSE 0 END
      FOR NO KEY UPDATE SKIP LOCKED
    ), locked AS (
      SELECT source, place FROM retry UNION ALL SELECT source, place FROM fresh
    )`;

const claim = (name: string, candidates: number, fit = ''): Statement => ({
  name,
  text: `
    WITH ${taking(candidates, fit)}, claimed AS (
      UPDATE messages message SET claimed_by = $1, claim_fence = $2
      FROM ${atPlaces('locked')}
        AND message.sent_status = FALSE AND message.parked_as IS NULL AND message.claimed_by IS NULL
      RETURNING ${CLAIMED}, ${microsecondsOf('message.next_attempt_at')} AS "dueAt", ${IS_CLAIMED} AS "isClaimed"
    ), counted AS (
      SELECT count(*) AS all, count("dueAt") AS retries,
        min(id) FILTER (WHERE "dueAt" IS NULL) AS fresh_from, max(id) FILTER (WHERE "dueAt" IS NULL) AS fresh_to,
        min(ARRAY["dueAt", id]) FILTER (WHERE "dueAt" IS NOT NULL) AS retries_from,
        max(ARRAY["dueAt", id]) FILTER (WHERE "dueAt" IS NOT NULL) AS retries_to
      FROM claimed WHERE "isClaimed"
    ), charged AS (
      UPDATE dispatch_jobs job SET
        claimed = ${LOCKED_CLAIMED} + counted.all,
        claimed_from = least(job.claimed_from, counted.fresh_from), claimed_to = greatest(job.claimed_to, counted.fresh_to),
        retries_from = least(job.retries_from, counted.retries_from),
        retries_to = greatest(job.retries_to, counted.retries_to)
      FROM counted WHERE job.id = $1 AND counted.all > 0
    ), look AS (
      SELECT coalesce((SELECT wanted FROM share), 0) AS wanted, coalesce((SELECT retries FROM share), 0) AS "retriesWanted",
        (SELECT id FROM last_fresh) AS "freshTo",
        (SELECT ${microsecondsOf('next_attempt_at')} FROM last_retry) AS "retryToAt",
        (SELECT id FROM last_retry) AS "retryToId", ${HAS_LATER_TRIGGERS} AS "hasLaterTriggers"
    )
    ${CLAIM_RESULT}`,
});

/** Enough for the largest claim; a look at so many costs little. */
const CANDIDATES = 1_000;
export const CLAIM = claim('messages.claim', CANDIDATES);
/** For a stretch of messages that others have locked. */
const FAR_CANDIDATES = 50_000;
export const CLAIM_FAR = claim('messages.claim-far', FAR_CANDIDATES);
/** Where many cannot be sent as they stand: those that can go out while the others are being parked. */
const VALID = ` AND NOT ${isInvalid()}`;
export const CLAIM_VALID = claim('messages.claim-valid', CANDIDATES, VALID);
export const CLAIM_VALID_FAR = claim('messages.claim-valid-far', FAR_CANDIDATES, VALID);

/**
 * Sets aside the one message that a claim of one would take, `$3` being 1, for the reason `$10` with the SQLSTATE `$11`: that
 * claim failed, and nothing else tells which message it was about.
 */
const setNextAside = (name: string, fit = ''): Statement => ({
  name,
  text: `
    WITH ${taking(CANDIDATES, fit)}
    INSERT INTO unwritten_outcomes (message_id, message_hash, known_at, sqlstate, reason, retry_at)
    SELECT message.id, ${hashOf('message')}, clock_timestamp(), $11, $10, clock_timestamp() + interval '1 s'
    FROM messages message, ${atPlaces('locked')}
    ${UNLESS_KEPT}
    RETURNING message_id AS id`,
});
export const SET_NEXT_ASIDE = setNextAside('messages.set-next-aside');
export const SET_NEXT_VALID_ASIDE = setNextAside('messages.set-next-valid-aside', VALID);

/** So many others may have locked among those that a claim of fresh ones wants, before it passes on. */
const MORE_CANDIDATES = 100;

/**
 * The same for fresh messages alone, which is nearly every claim, at two thirds of the cost. Where all that was locked lies in
 * one table, its places need no pairs.
 */
export const CLAIM_FRESH: Statement = {
  name: 'messages.claim-fresh',
  text: `
    WITH job AS (
      SELECT claimed, least($3::int, budget - claimed) AS wanted, horizon ${claimingJob('$5')}
    ), last_fresh AS (
      SELECT id FROM messages
      WHERE ${FRESH} AND ${FRESH_FROM} AND id <= (SELECT horizon FROM job)
        AND (SELECT wanted FROM job) > 0
      ORDER BY id OFFSET (SELECT wanted + ${MORE_CANDIDATES - 1} FROM job) LIMIT 1
    ), fresh AS (
      SELECT tableoid AS source, ctid AS place FROM messages
      WHERE ${FRESH} AND claimed_by IS NULL AND ${FRESH_FROM}
        AND id <= coalesce((SELECT id FROM last_fresh), (SELECT horizon FROM job)) AND ${MAY_CLAIM}
      ORDER BY id
      LIMIT greatest((SELECT wanted FROM job), 0)
      FOR NO KEY UPDATE SKIP LOCKED
    ), claimed AS (
      UPDATE messages message SET claimed_by = $1, claim_fence = $2
      WHERE message.ctid = ANY (ARRAY(SELECT place FROM fresh))
        AND CASE WHEN (SELECT min(source) = max(source) FROM fresh) THEN message.tableoid = (SELECT min(source) FROM fresh)
          ELSE (message.tableoid, message.ctid) IN (SELECT source, place FROM fresh) END
        AND message.sent_status = FALSE AND message.parked_as IS NULL AND message.claimed_by IS NULL
      RETURNING ${CLAIMED}, NULL::bigint AS "dueAt", ${IS_CLAIMED} AS "isClaimed"
    ), counted AS (
      SELECT count(*) AS all, min(id) AS fresh_from, max(id) AS fresh_to FROM claimed WHERE "isClaimed"
    ), charged AS (
      UPDATE dispatch_jobs job SET
        claimed = ${LOCKED_CLAIMED} + counted.all,
        claimed_from = least(job.claimed_from, counted.fresh_from), claimed_to = greatest(job.claimed_to, counted.fresh_to)
      FROM counted WHERE job.id = $1 AND counted.all > 0
    ), look AS (
      SELECT coalesce((SELECT wanted FROM job), 0) AS wanted, 0 AS "retriesWanted", (SELECT id FROM last_fresh) AS "freshTo",
        NULL AS "retryToAt", NULL AS "retryToId", ${HAS_LATER_TRIGGERS} AS "hasLaterTriggers"
    )
    ${CLAIM_RESULT}`,
};

/**
 * `$3` messages that the owner of the job claimed, `$4` those of them that were charged. Returns those that it has claimed; the
 * others are set aside in `unwritten_outcomes`, unless they went another way meanwhile, so that no claim meets them again and
 * again, and are back on the budget.
 */
export const KEEP_CLAIMED: Statement = {
  name: 'messages.keep-claimed',
  text: `
    WITH claim AS (
      SELECT message.id, bool_or(${IS_CLAIMED}) AS is_claimed, bool_or(message.sent_status = FALSE AND message.parked_as IS NULL)
        AS is_open
      FROM unnest($3::bigint[]) AS given (id), messages message
      WHERE message.id = given.id
      GROUP BY message.id
    ), aside AS (
      INSERT INTO unwritten_outcomes (message_id, message_hash, known_at, reason, retry_at)
      SELECT id, (SELECT ${hashOf('message')} FROM messages message
          WHERE message.id = claim.id AND message.sent_status = FALSE AND message.parked_as IS NULL LIMIT 1),
        clock_timestamp(), '${KEPT_AS_IT_WAS}', clock_timestamp() + interval '10 s'
      FROM claim
      WHERE NOT is_claimed AND is_open AND EXISTS (SELECT FROM dispatch_jobs WHERE id = $1 AND fence = $2)
      ${UNLESS_KEPT}
      RETURNING message_id
    ), refunded AS (
      UPDATE dispatch_jobs SET
        claimed = greatest(claimed - (SELECT count(*) FROM aside WHERE message_id = ANY ($4::bigint[])), 0)
      WHERE id = $1 AND fence = $2 AND EXISTS (SELECT FROM aside WHERE message_id = ANY ($4::bigint[]))
    )
    SELECT coalesce((SELECT json_agg(id) FROM claim WHERE is_claimed), '[]') AS claimed,
      coalesce((SELECT json_agg(message_id) FROM aside), '[]') AS "setAside"`,
};

export const CLOSE: Statement = {
  name: 'messages.close-job',
  text: `UPDATE dispatch_jobs SET closed_fence = $2 WHERE id = $1 AND fence = $2`,
};

export const LEAVES_BUDGET: Statement = {
  name: 'messages.leaves-budget',
  text: `SELECT FROM dispatch_jobs WHERE id = $1 AND fence = $2 AND claimed < budget`,
};

/** The places between which the claims of a job lie, of its row. */
export const CLAIMED_PLACES = `coalesce(claimed_from, ${LOWEST_ID}) AS fresh_from, claimed_to AS fresh_to,
        ${timeOf('retries_from[1]')} AS first_at, retries_from[2] AS first_id,
        greatest(${timeOf('retries_to[1]')}, timestamptz 'epoch') AS last_at, retries_to[2] AS last_id`;

const jobWithClaims = (condition: string) => `
    job AS (
      SELECT claimed, ${CLAIMED_PLACES} FROM ${PATIENCE}, dispatch_jobs WHERE id = $1 AND fence = $2${condition}
      FOR NO KEY UPDATE OF dispatch_jobs
    )`;

const ofJob = (column: string) => `(SELECT ${column} FROM job)`;

/**
 * Where the claims of a job lie, by the two indexes that hold what may be sent. The order is what has the planner take the
 * index that has it, also where it knows nothing of the table yet.
 */
export const CLAIMED_RANGES = {
  fresh: (owner: string) => `${FRESH} AND id >= ${ofJob('fresh_from')} AND id <= ${ofJob('fresh_to')} AND ${owner}
        ORDER BY id`,
  retries: (owner: string) => `${RETRY} AND (next_attempt_at, id) >= (${ofJob('first_at')}, ${ofJob('first_id')})
        AND (next_attempt_at, id) <= (${ofJob('last_at')}, ${ofJob('last_id')}) AND ${owner}
        ORDER BY next_attempt_at, id`,
};

/** Of the job's claims that `owner` tells, `held` has those that could be locked at once, and `claim` how many there are. */
function hold(owner: string): string {
  const ranges = Object.entries(CLAIMED_RANGES);
  const counts = ranges.map(
    ([, range]) => `(SELECT count(*) FROM (SELECT FROM messages WHERE ${range(owner)}) AS claims)`,
  );
  const locked = ranges.map(
    ([name, range]) => `${name} AS (
      SELECT tableoid AS source, ctid AS place FROM messages WHERE ${range(owner)} FOR NO KEY UPDATE SKIP LOCKED
    )`,
  );
  return `
    claim AS (SELECT ${counts.join('\n + ')} AS count), ${locked.join(', ')}, held AS (
      ${ranges.map(([name]) => `SELECT source, place FROM ${name}`).join(' UNION ALL ')}
    )`;
}

const COUNTED_FREED = `counted AS (
      SELECT freed.count AS freed, claim.count - freed.count AS left
      FROM claim, (SELECT count(*) FROM freed WHERE is_free) AS freed
    )`;

/** Frees what could be locked, and counts it and what is left. */
const free = (owner: string) => `freed AS (
      UPDATE messages message SET claimed_by = NULL, claim_fence = NULL
      FROM ${atPlaces('held')} AND message.sent_status = FALSE AND ${owner}
      RETURNING message.claimed_by IS NULL AS is_free
    ), ${COUNTED_FREED}`;

const MINE = 'claimed_by = $1 AND claim_fence = $2';
const BEFORE_ME = 'claimed_by = $1 AND claim_fence < $2';
/** A message whose outcome is known and cannot be written stays claimed, whoever has the job. */
const andWritable = (owner: string) => `${owner} AND ${WRITABLE}`;

export const RELEASE: Statement = {
  name: 'messages.release',
  text: `
    WITH ${jobWithClaims('')}, ${hold(andWritable(MINE))}, ${free(MINE)}
    UPDATE dispatch_jobs SET claimed = ${LOCKED_CLAIMED} - counted.freed FROM counted
    WHERE id = $1 AND fence = $2
    RETURNING counted.left`,
};

export const GIVE_BACK: Statement = {
  name: 'messages.give-back',
  text: `
    WITH job AS (
      SELECT id, claimed FROM ${PATIENCE}, dispatch_jobs
      WHERE id = $1 AND fence = $2 AND closed_fence IS DISTINCT FROM $2 FOR NO KEY UPDATE OF dispatch_jobs
    ), claim AS (
      SELECT count(*) AS count FROM messages, job WHERE messages.id = ANY ($3::bigint[]) AND ${MINE}
    ), held AS (
      SELECT messages.tableoid AS source, messages.ctid AS place FROM messages, job
      WHERE messages.id = ANY ($3::bigint[]) AND ${MINE}
      FOR NO KEY UPDATE OF messages SKIP LOCKED
    ), freed AS (
      UPDATE messages message SET claimed_by = NULL, claim_fence = NULL
      FROM ${atPlaces('held')} AND ${MINE}
      RETURNING message.claimed_by IS NULL AS is_free
    ), ${COUNTED_FREED}
    UPDATE dispatch_jobs SET claimed = ${LOCKED_CLAIMED} - (cardinality($3::bigint[]) - counted.left) FROM job, counted
    WHERE dispatch_jobs.id = job.id
    RETURNING counted.left`,
};

export const TAKE_OVER: Statement = {
  name: 'messages.take-over',
  text: `
    WITH ${jobWithClaims(` AND state = 'running'`)}, ${hold(andWritable(BEFORE_ME))}, taken AS (
      UPDATE messages message SET claim_fence = $2
      FROM ${atPlaces('held')} AND message.sent_status = FALSE AND ${BEFORE_ME}
      RETURNING ${CLAIMED}
    )
    SELECT coalesce((SELECT json_agg(taken ORDER BY id) FROM taken), '[]') AS taken,
      (SELECT count FROM claim) - (SELECT count(*) FROM taken) AS left`,
};
