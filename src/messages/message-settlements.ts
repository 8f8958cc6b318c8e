import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database.js';
import { isOfAnOwnerBefore } from '../fences.js';
import { HAS_LATER_TRIGGERS, hashOf, isMessage, KEPT_AS_IT_WAS, lockTimeout } from './claim-conditions.js';
import { LOCK_PATIENCE_MS, type ClaimKey } from './message-claims.js';
import { findTableLock, type TableLocked } from './table-lock.js';

/** One HTTP attempt, for the log in `delivery_attempts`. Durations are milliseconds of the monotonic clock. */
export interface AttemptRecord {
  readonly number: number;
  readonly durationMs: number | null;
  readonly httpStatus: number | null;
  readonly outcome: 'accepted' | 'refused' | 'unavailable' | 'channel' | 'uncertain';
  readonly error: string | null;
  readonly responseExcerpt: string | null;
  /** Counted with its message and not written down: it is one of very many alike. */
  readonly unlogged?: true;
}

/** How a claimed message goes on. */
export interface Settlement {
  readonly id: number;
  readonly state: 'sent' | 'waiting' | 'failed' | 'uncertain';
  /** When the outcome was known, by `performance.now()`; written down is that instant of the database's clock, to a second. */
  readonly knownAt: number;
  readonly charged: boolean;
  /** `waiting`: not before so long from now; null: at once, a retry among the retries that are due. */
  readonly delayMs: number | null;
  /** `failed`, `uncertain`: for people. */
  readonly reason: string | null;
  /** The provider's id. */
  readonly messageId: string | null;
  /** Tells the message from others of the same id, for its receipt and where the outcome is kept; null: that is not known. */
  readonly messageHash: string | null;
  /** null when no request was made. */
  readonly attempt: AttemptRecord | null;
}

/** Whether no request left for it, so that its job may make another one instead. */
export function isRefunded({ attempt }: Settlement): boolean {
  return attempt === null || (attempt.outcome === 'channel' && attempt.httpStatus === null);
}

/**
 * An outcome that waited longer than this was held up. Others are dated by their writing: statements take longer and less
 * long to arrive than answers are apart, and the order of sending would be lost.
 */
const HELD_UP_MS = 1_000;

/** Settles what was claimed: the other end of `MessageClaims`. */
@Injectable()
export class MessageSettlements {
  constructor(private readonly database: Database) {}

  /**
   * Writes outcomes and attempts, each message's in one transaction. A message that was marked by hand meanwhile stays sent;
   * one for which no request left goes back on the job's budget. Returns the ids of those whose rows say so, whatever
   * triggers made of them; a missing one was deleted, or its claim has passed to another owner, or a trigger or a row policy
   * kept the row as it was (`unproven` tells). What a trigger puts back before the row is written stands in
   * `unwritten_outcomes` with the same statement: nothing can claim it in between. Locks the rows in the order of their ids,
   * so that it and another transaction that does the same never deadlock, and waits for a lock for `patienceMs` at most.
   * `again`: the same settlements may have been written before, their reply lost; then only attempts of messages that are
   * settled now are written, so that none is logged twice.
   * `kept`: they stand in `unwritten_outcomes`. Nobody may claim those messages, so they are written without a claim as well,
   * but to no other message that has the id by now.
   */
  async settle(
    job: ClaimKey,
    settlements: readonly Settlement[],
    again = false,
    kept = false,
    patienceMs = LOCK_PATIENCE_MS,
  ): Promise<number[]> {
    const [sent, others] = apart(settlements.toSorted((a, b) => a.id - b.id));
    const now = performance.now();
    const agoMs = ({ knownAt }: Settlement) => (now - knownAt < HELD_UP_MS ? 0 : Math.round(now - knownAt));
    const settled =
      sent.length === 0
        ? []
        : await this.database.query<Settled>(SETTLE_SENT, [
            job.id,
            job.fence,
            arrayOf(sent.map(({ id }) => id)),
            sent.map(({ messageId }) => messageId),
            arrayOf(sent.map(agoMs)),
            arrayOf(sent.map(({ attempt }) => attempt.number)),
            arrayOf(sent.map(({ attempt }) => attempt.httpStatus)),
            arrayOf(sent.map(({ attempt }) => attempt.durationMs)),
            again,
            kept,
            patienceMs,
            kept ? sent.map(({ messageHash }) => messageHash) : [],
          ]);
    const further =
      others.length === 0
        ? []
        : await this.database.query<Settled>(SETTLE, [
            job.id,
            job.fence,
            JSON.stringify(others.map((settlement) => ({ ...settlement, agoMs: agoMs(settlement) }))),
            again,
            kept,
            patienceMs,
          ]);
    const rows = [...settled, ...further];
    const ids = rows.flatMap((row) => row.ids);
    if (!rows.some(({ hasLaterTriggers }) => hasLaterTriggers)) return ids;
    const written = new Set(ids);
    const putBack = new Set(
      await this.unproven(
        job,
        settlements.filter(({ id }) => written.has(id)),
        kept,
      ),
    );
    return ids.filter((id) => !putBack.has(id));
  }

  /**
   * The messages whose rows do not say what was settled, though it is this owner's to say: its claim is there, or nobody's
   * (a trigger took it away) and this owner has the job. A job that is gone was lost in a restore: the message is another one.
   */
  async unproven(job: ClaimKey, settlements: readonly Settlement[], kept = false): Promise<number[]> {
    const given = settlements.map(({ id, messageHash, state, charged, delayMs, attempt }) => ({
      id,
      messageHash,
      state,
      charged,
      delayMs,
      attempt: attempt && { number: attempt.number },
    }));
    return [...idsOf(await this.database.query<Ids>(UNPROVEN, [job.id, job.fence, JSON.stringify(given), kept]))];
  }

  /** Who keeps a table locked to which outcomes are written; null when nobody does. */
  async tableLock(): Promise<TableLocked | null> {
    return await findTableLock(this.database);
  }

  /** Those of the messages that another transaction has locked at this moment, or that are gone. */
  async locked(ids: readonly number[]): Promise<number[]> {
    const free = new Set(idsOf(await this.database.query<Ids>(UNLOCKED, [ids])));
    return ids.filter((id) => !free.has(id));
  }
}

/** One row with a list: a row for each id would cost more than the ids. */
interface Ids {
  readonly ids: readonly number[];
}

interface Settled extends Ids {
  /** Whether triggers of the table run after a row is written: what they put back no RETURNING can show. */
  readonly hasLaterTriggers: boolean;
}

type PlainSettlement = Settlement & { readonly attempt: AttemptRecord };

/** What was simply accepted, which is nearly everything and has a statement of its own, and all other outcomes. */
function apart(settlements: readonly Settlement[]): [PlainSettlement[], Settlement[]] {
  const plain: PlainSettlement[] = [];
  const others: Settlement[] = [];
  for (const settlement of settlements) {
    if (isPlain(settlement)) plain.push(settlement);
    else others.push(settlement);
  }
  return [plain, others];
}

function isPlain(settlement: Settlement): settlement is PlainSettlement {
  const { state, attempt } = settlement;
  return state === 'sent' && attempt?.outcome === 'accepted' && attempt.responseExcerpt === null;
}

function idsOf([row]: readonly Ids[]): readonly number[] {
  return row?.ids ?? [];
}

/** A PostgreSQL array of numbers, as its text form; node-postgres would quote and escape every item. */
function arrayOf(items: readonly (number | null)[]): string {
  return `{${items.map((item) => item ?? 'NULL').join(',')}}`;
}

/**
 * The fence: nothing is written for a message whose claim has passed to another owner.
 * `coalesce` keeps the planner from trusting the statistics of the claim columns, which are all NULL in an idle table: it
 * would expect one row and scan the whole table for each outcome.
 */
const HELD = 'coalesce(message.claimed_by = $1 AND message.claim_fence = $2, FALSE)';

/**
 * A message that is not sent and that no owner after this one has claimed. Where the claim is not this owner's any more, a
 * trigger took it away, or put an earlier one back.
 */
const LEFT_ALONE = `message.sent_status = FALSE
        AND (message.claimed_by IS NULL OR (message.claimed_by = $1 AND coalesce(message.claim_fence < $2, TRUE)))`;

/** What is parked without its outcome is another's decision, unless the message was accepted. */
const UNDECIDED = `(message.parked_as IS NULL OR outcome.state = 'sent') AND ${LEFT_ALONE}`;

const isOutcomeOf = (hash: string) => isMessage(`outcome.${hash}`, hashOf('message'));

/**
 * What may be written. Of those that stand in `unwritten_outcomes` (`isKept`) also what nobody has claimed, as `unclaimed` tells,
 * and only to the message that it is an outcome of. Others have their claim, which no other message has.
 */
const mayWrite = (isKept: string, unclaimed: string, hash: string) => `message.id = outcome.id
        AND (${HELD} OR (${isKept}::bool AND ${unclaimed})) AND (NOT ${isKept}::bool OR ${isOutcomeOf(hash)})`;

/**
 * Whether the row says what the outcome says, as far as it keeps the message from being requested again. RETURNING gives it as
 * the triggers left it.
 */
const PROVEN = `coalesce(message.sent_status OR CASE outcome.state
          WHEN 'sent' THEN FALSE
          WHEN 'waiting' THEN message.claimed_by IS NULL
            AND (outcome."delayMs" IS NULL OR message.parked_as IS NOT NULL OR message.next_attempt_at IS NOT NULL)
            AND (outcome.attempt IS NULL OR CASE WHEN outcome.charged
              THEN message.attempts >= (outcome.attempt->>'number')::int ELSE message.sit_outs > 0 END)
          ELSE message.parked_as IS NOT NULL END, FALSE)`;

/** Keeps what the statement itself found put back. `settlement` is the JSON of the outcome. */
const kept = (settlement: string, agoMs: string, isKept: string) => `kept AS (
      INSERT INTO unwritten_outcomes (message_id, message_hash, job_id, fence, settlement, known_at, reason, retry_at)
      SELECT DISTINCT ON (outcome.id) outcome.id, settled.hash, $1::bigint, $2::int, ${settlement}, clock_timestamp() - ${agoMs} * interval '1 ms', '${KEPT_AS_IT_WAS}',
        clock_timestamp() + interval '1 s'
      FROM settled, outcome
      WHERE NOT settled.proven AND NOT ${isKept} AND outcome.id = settled.id
      ON CONFLICT (message_id) DO UPDATE SET
        message_hash = excluded.message_hash, job_id = excluded.job_id, fence = excluded.fence, settlement = excluded.settlement,
        known_at = excluded.known_at, sqlstate = NULL, reason = excluded.reason
    )`;

/** An attempt of an outcome that was kept may have been logged when it was first written. */
const isLogged = (number: string) => `EXISTS (
          SELECT FROM (SELECT job_id, number FROM delivery_attempts WHERE message_id = outcome.id ORDER BY id DESC LIMIT 20)
            AS latest
          WHERE latest.job_id = $1 AND latest.number = ${number})`;

/** A plain settlement as JSON. */
const PLAIN_SETTLEMENT = `json_build_object('id', outcome.id, 'state', 'sent', 'charged', TRUE, 'delayMs', NULL, 'reason', NULL,
          'messageId', outcome.message_id, 'attempt', json_build_object('number', outcome.number, 'durationMs', outcome.duration_ms,
            'httpStatus', outcome.http_status, 'outcome', 'accepted', 'error', NULL, 'responseExcerpt', NULL))`;

// Columns rather than JSON objects, which cost both sides more for what is by far the most frequent outcome.
const SETTLE_SENT: Statement = {
  name: 'messages.settle-sent',
  text: `
    WITH outcome AS (
      SELECT outcome.* FROM ${lockTimeout('$11')} AS patience,
        unnest($3::bigint[], $4::text[], $5::float8[], $6::int[], $7::smallint[], $8::int[], $12::text[])
        AS outcome (id, message_id, ago_ms, number, http_status, duration_ms, message_hash)
    ), settled AS (
      UPDATE messages message SET
        sent_status = TRUE, sent_at = (clock_timestamp() - outcome.ago_ms * interval '1 ms') AT TIME ZONE 'UTC',
        message_id = coalesce(outcome.message_id, message.message_id),
        attempts = CASE WHEN $10 THEN greatest(message.attempts, outcome.number) ELSE message.attempts + 1 END,
        next_attempt_at = NULL, parked_as = NULL, parked_reason = NULL, parked_at = NULL,
        claimed_by = NULL, claim_fence = NULL
      FROM outcome
      WHERE ${mayWrite('$10', LEFT_ALONE, 'message_hash')}
      RETURNING message.id, message.sent_status IS TRUE AS proven,
        CASE WHEN message.sent_status IS NOT TRUE THEN ${hashOf('message')} END AS hash
    ), ${kept(PLAIN_SETTLEMENT, 'outcome.ago_ms', '$10')}, logged AS (
      INSERT INTO delivery_attempts (message_id, job_id, number, started_at, duration_ms, http_status, outcome, provider_id)
      SELECT outcome.id, $1, outcome.number,
        clock_timestamp() - (outcome.ago_ms + coalesce(outcome.duration_ms, 0)) * interval '1 ms',
        outcome.duration_ms, outcome.http_status, 'accepted', outcome.message_id
      FROM outcome
      WHERE (NOT $9 OR outcome.id IN (SELECT id FROM settled WHERE proven)) AND NOT ($10 AND ${isLogged('outcome.number')})
    )
    SELECT coalesce(json_agg(id) FILTER (WHERE proven), '[]') AS ids, ${HAS_LATER_TRIGGERS} AS "hasLaterTriggers" FROM settled`,
};

const SETTLEMENT = `json_build_object('id', outcome.id, 'state', outcome.state, 'charged', outcome.charged, 'delayMs', outcome."delayMs",
          'reason', outcome.reason, 'messageId', outcome."messageId", 'attempt', outcome.attempt)`;

const SETTLE: Statement = {
  name: 'messages.settle',
  text: `
    WITH outcome AS (
      SELECT outcome.* FROM ${lockTimeout('$6')} AS patience, json_to_recordset($3::json) AS outcome (
        id bigint, "messageHash" text, state text, "agoMs" float8, charged boolean, "delayMs" float8, reason text,
        "messageId" text, attempt json)
    ), settled AS (
      UPDATE messages message SET
        sent_status = message.sent_status OR outcome.state = 'sent',
        sent_at = CASE WHEN outcome.state = 'sent'
          THEN (clock_timestamp() - outcome."agoMs" * interval '1 ms') AT TIME ZONE 'UTC' ELSE message.sent_at END,
        message_id = coalesce(outcome."messageId", message.message_id),
        attempts = CASE WHEN $5 AND outcome.charged THEN greatest(message.attempts, (outcome.attempt->>'number')::int)
          ELSE message.attempts + outcome.charged::int END,
        sit_outs = message.sit_outs + (outcome.attempt IS NOT NULL AND NOT outcome.charged AND ${HELD})::int,
        doubt = coalesce(message.doubt, CASE WHEN outcome.attempt->>'outcome' = 'uncertain'
          THEN coalesce(outcome.attempt->>'error', 'no answer') END),
        next_attempt_at = CASE WHEN NOT message.sent_status AND outcome.state = 'waiting'
          THEN coalesce(clock_timestamp() + outcome."delayMs" * interval '1 ms', message.next_attempt_at) END,
        parked_as = CASE WHEN NOT message.sent_status AND outcome.state IN ('failed', 'uncertain') THEN outcome.state END,
        parked_reason = CASE WHEN NOT message.sent_status AND outcome.state IN ('failed', 'uncertain') THEN outcome.reason END,
        parked_at = CASE WHEN NOT message.sent_status AND outcome.state IN ('failed', 'uncertain') THEN clock_timestamp() END,
        claimed_by = NULL, claim_fence = NULL
      FROM outcome
      WHERE ${mayWrite('$5', UNDECIDED, '"messageHash"')}
      RETURNING message.id, (outcome.attempt IS NULL
        OR (outcome.attempt->>'outcome' = 'channel' AND outcome.attempt->>'httpStatus' IS NULL)) AS untried, ${PROVEN} AS proven,
        CASE WHEN NOT ${PROVEN} THEN ${hashOf('message')} END AS hash
    ), ${kept(SETTLEMENT, 'outcome."agoMs"', '$5')}, untried AS (
      SELECT id FROM settled WHERE untried AND proven
    ), refunded AS (
      UPDATE dispatch_jobs SET claimed = greatest(claimed - (SELECT count(*) FROM untried), 0)
      WHERE id = $1 AND fence = $2 AND EXISTS (SELECT FROM untried)
    ), logged AS (
      INSERT INTO delivery_attempts (message_id, job_id, number, started_at, duration_ms, http_status, outcome, error,
        provider_id, response_excerpt)
      SELECT outcome.id, $1, attempt.number,
        clock_timestamp() - (outcome."agoMs" + coalesce(attempt."durationMs", 0)) * interval '1 ms',
        attempt."durationMs", attempt."httpStatus", attempt.outcome, attempt.error, outcome."messageId",
        attempt."responseExcerpt"
      FROM outcome, json_to_record(outcome.attempt) AS attempt (
        number int, "durationMs" float8, "httpStatus" smallint, outcome text, error text, "responseExcerpt" text,
        unlogged boolean)
      WHERE attempt.number IS NOT NULL AND attempt.unlogged IS NULL 
        AND (NOT $4 OR outcome.id IN (SELECT id FROM settled WHERE proven)) AND NOT ($5 AND ${isLogged('attempt.number')})
    )
    SELECT coalesce(json_agg(id) FILTER (WHERE proven), '[]') AS ids, ${HAS_LATER_TRIGGERS} AS "hasLaterTriggers" FROM settled`,
};

// A child of the table may have another row with the same id.
const UNPROVEN: Statement = {
  name: 'messages.unproven',
  text: `
    WITH job AS (
      SELECT fence FROM dispatch_jobs WHERE id = $1
    ), unproven AS (
      SELECT outcome.id
      FROM json_to_recordset($3::json) AS outcome (
          id bigint, "messageHash" text, state text, charged boolean, "delayMs" float8, attempt json),
        messages message
      WHERE message.id = outcome.id AND ((NOT $4::bool AND ${HELD}) OR ${isOutcomeOf('"messageHash"')})
      GROUP BY outcome.id
      HAVING bool_or(${HELD} OR (${UNDECIDED} AND ($4::bool OR coalesce(${isOfAnOwnerBefore('(SELECT fence FROM job)', '$2')}, FALSE))))
        AND NOT bool_or(${PROVEN})
    )
    SELECT coalesce(json_agg(id), '[]') AS ids FROM unproven`,
};

const UNLOCKED: Statement = {
  name: 'messages.unlocked',
  text: `
    WITH free AS (SELECT id FROM messages WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
    SELECT coalesce(json_agg(id), '[]') AS ids FROM free`,
};
