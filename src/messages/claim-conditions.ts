/**
 * The ids that JavaScript holds exactly: sequences may be widened downwards, and ids below 1 are ids. Beyond them an id would be
 * rounded to another one, and another message be marked: such messages are never looked at (see `SendableLook`).
 */
export const LOWEST_ID = `'${Number.MIN_SAFE_INTEGER}'::bigint`;
export const HIGHEST_ID = `'${Number.MAX_SAFE_INTEGER}'::bigint`;
const EXACT_ID = `id >= ${LOWEST_ID} AND id <= ${HIGHEST_ID}`;

/**
 * The two kinds of messages that may be sent, each as its partial index has it: fresh ones, which are sent by id, and retries,
 * by the end of their pause. A retry that is claimed stays what it is until it is settled, so a claim touches no index.
 */
const FRESH_WHATEVER_ID = 'sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NULL';
export const FRESH = `${FRESH_WHATEVER_ID} AND ${EXACT_ID}`;
export const RETRY = `sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NOT NULL AND ${EXACT_ID}`;

/** Retries are in no index by id: so many of the ids beyond are looked at, of messages in any state. */
const INEXACT_LOOKED_AT = 100;
const inexactRetry = (beyond: string) => `(SELECT
          min(CASE WHEN sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NOT NULL THEN id END)::text
        FROM (SELECT id, sent_status, parked_as, next_attempt_at FROM messages WHERE ${beyond}
          ORDER BY messages.id DESC LIMIT ${INEXACT_LOOKED_AT}) AS beyond)`;

/** An unsent message whose id JavaScript does not hold exactly, as text, or NULL: the two ends of an index tell. */
export const INEXACT_ID = `coalesce(
        (SELECT id::text FROM messages WHERE ${FRESH_WHATEVER_ID} AND id > ${HIGHEST_ID} ORDER BY messages.id LIMIT 1),
        (SELECT id::text FROM messages WHERE ${FRESH_WHATEVER_ID} AND id < ${LOWEST_ID} ORDER BY messages.id LIMIT 1),
        ${inexactRetry(`id > ${HIGHEST_ID}`)}, ${inexactRetry(`id < ${LOWEST_ID}`)})`;

/**
 * What tells the message in a row from others that have, had or will have its id: the hash of `idempotency-key.ts`. `concat` keeps the
 * blanks at the end of a CHAR column, which a cast to TEXT takes off and the service reads.
 */
export const hashOf = (row: string) =>
  `dispatcher_message_hash(concat(${row}.recipient_phone), concat(${row}.content), extract(epoch FROM ${row}.created_at)::text)`;

/** Whether a row, of which `rowHash` is the hash, is the message of which `hash` is. NULL is a hash that cannot be told. */
export const isMessage = (hash: string, rowHash: string) => `(${hash} IS NULL OR coalesce(${hash} = ${rowHash}, TRUE))`;

/** The hash of the row that lies at the table and the place which `seen` has. */
const hashAt = (seen: string) =>
  `(SELECT ${hashOf('there')} FROM messages there WHERE there.ctid = ${seen}.place AND there.tableoid = ${seen}.source)`;

const notKept = (id: string, rowHash: string) => `CASE WHEN EXISTS (SELECT FROM unwritten_outcomes)
          THEN (SELECT kept.message_id FROM unwritten_outcomes kept
            WHERE kept.message_id = ${id} AND ${isMessage('kept.message_hash', rowHash)}) IS NULL ELSE TRUE END`;

/**
 * Nothing of the message in `row` stands in `unwritten_outcomes`, which is nearly always empty: that is asked once. While it is
 * not, each message is looked for by the index. A scalar query is never planned as a join or a hash, which would read all that
 * is kept. An entry of another message that had the id keeps this one from nothing.
 */
export const writable = (row: string) => notKept(`${row}.id`, hashOf(row));
export const WRITABLE = writable('messages');
/** The same of a row of the CTE `seen`, which has its id, its table (`source`) and its place. */
export const writableAt = (seen: string) => notKept(`${seen}.id`, hashAt(seen));

/**
 * Whether no job works on the message in `row`. A claim of a job that does not run is none: of a message that is parked, or marked,
 * nothing takes it away. A scalar query, as above.
 */
export const idle = (row: string) => `(${row}.claimed_by IS NULL
          OR (SELECT job.id FROM dispatch_jobs job WHERE job.id = ${row}.claimed_by AND job.state = 'running') IS NULL)`;

/**
 * What a claim may take of the rows of `rows`, with their tables in `source`. An outcome is written by id, so a row of a table that
 * inherits from `messages` is never taken while another of these tables has its id. A scalar query here, too.
 */
export const claimable = (
  rows: string,
  source: string,
  isWritable: string,
) => `${isWritable} AND CASE WHEN ${source} = 'messages'::regclass THEN TRUE
          ELSE (SELECT other.id FROM messages other WHERE other.id = ${rows}.id AND other.tableoid <> ${source} LIMIT 1) IS NULL END`;

/** The time of the statement as a value: a function that changes is no condition of an index, and every pause would be read. */
export const NOW = '(SELECT clock_timestamp())';

/**
 * A pause's end as whole microseconds since 1970, which JavaScript holds exactly; NULL for none. Infinite ones are cut to what
 * is finite (`greatest` and `least` pass over NULLs, hence the CASE).
 */
export const microsecondsOf = (time: string) =>
  `CASE WHEN ${time} IS NOT NULL
          THEN (extract(epoch FROM least(greatest(${time}, timestamptz 'epoch'), clock_timestamp())) * 1000000)::bigint END`;

/** The way back. Nothing, or 1970 and before, is the time before all times. */
export const timeOf = (microseconds: string) =>
  `CASE WHEN ${microseconds} > 0 THEN timestamptz 'epoch' + ${microseconds} * interval '1 microsecond' ELSE '-infinity' END`;

/**
 * What a job has claimed, of the CTE `job` that locked its row. A statement that waited for that lock finds the row again as it
 * was before, and PostgreSQL checks the constraints of what it would write from that: `claimed + 2` of a version from before a
 * refund is more than the budget.
 */
export const LOCKED_CLAIMED = '(SELECT claimed FROM job)';

/** The place from which a look goes on: a fresh id, the end of a pause and the id of a retry; NULL for the start. */
export const freshFrom = (id: string) => `id >= coalesce(${id}::bigint, ${LOWEST_ID})`;
export const retryFrom = (dueAt: string, id: string) =>
  `(next_attempt_at, id) >= (${timeOf(`${dueAt}::bigint`)}, coalesce(${id}::bigint, ${LOWEST_ID}))`;

/**
 * Ends the wait for a lock, that of a trigger for example: `lock_timeout` for this statement alone. It must be evaluated before
 * the first row is locked. Milliseconds, or the parameter that has them.
 */
export const lockTimeout = (ms: number | `$${number}`) =>
  `(SELECT set_config('lock_timeout', ${typeof ms === 'number' ? `'${ms}ms'` : `${ms}::int || 'ms'`}, TRUE))`;

/** Why a write that PostgreSQL reported as done is not one. */
export const KEPT_AS_IT_WAS = 'a trigger or a row policy kept the row as it was';

/** The bits of `pg_trigger.tgtype`. */
const EVENTS = { DELETE: 8, UPDATE: 16 } as const;
const BEFORE_OR_INSTEAD_OF = 66;

/**
 * Whether triggers run after a row of `messages`, or of a table that inherits from it, is written: they may put back what
 * RETURNING showed. Most tables have neither triggers nor heirs, and one look at the catalog tells.
 */
export const hasLaterTriggers = (event: keyof typeof EVENTS) =>
  `CASE WHEN (SELECT relhastriggers OR relhassubclass FROM pg_class WHERE oid = 'messages'::regclass) THEN EXISTS (
      WITH RECURSIVE family AS (
        SELECT 'messages'::regclass::oid AS member
        UNION ALL SELECT inhrelid FROM pg_inherits JOIN family ON inhparent = family.member
      )
      SELECT FROM family JOIN pg_trigger ON tgrelid = family.member
      WHERE tgtype & ${EVENTS[event]} <> 0 AND tgtype & ${BEFORE_OR_INSTEAD_OF} = 0 AND NOT tgisinternal
        AND tgenabled <> 'D') ELSE FALSE END`;
export const HAS_LATER_TRIGGERS = hasLaterTriggers('UPDATE');

/**
 * The columns of a `ClaimedMessage`; an adopted table may have a NULL in them, which is a message that cannot be sent. The
 * text of `createdAt` is part of the Idempotency-Key: it depends on no setting of the session and may not change.
 */
export const CLAIMED = `message.id, coalesce(message.recipient_phone, '') AS "recipientPhone",
        coalesce(message.content, '') AS content, extract(epoch FROM message.created_at)::text AS "createdAt",
        message.attempts, message.sit_outs AS "sitOuts", message.doubt`;

/** Whether the row that RETURNING gives, as triggers left it, is claimed by this owner of the job. */
export const IS_CLAIMED = `coalesce(message.claimed_by = $1 AND message.claim_fence = $2
          AND message.sent_status = FALSE AND message.parked_as IS NULL, FALSE)`;

/**
 * Joins the rows that a CTE has locked, as (source, place): the tables and places at which they lie, which spares a second
 * search. A place is that of one table only: with inheritance or partitions another table has another row there. The two
 * comparisons are always true; they have the planner expect one row, and so read by place, however small the table was
 * when the statement was planned.
 */
export const atPlaces = (rows: string) =>
  `unnest(ARRAY(SELECT source FROM ${rows}), ARRAY(SELECT place FROM ${rows})) AS found (source, place)
      WHERE message.ctid = found.place AND message.tableoid = found.source AND found.place > '(0,0)' AND found.source > 0`;
