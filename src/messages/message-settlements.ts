import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database.js';
import type { ClaimKey } from './message-claims.js';

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
  /** `sent`: the hash of the message that was sent, for its receipt. */
  readonly messageHash?: string;
  /** null when no request was made. */
  readonly attempt: AttemptRecord | null;
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
   * one for which no request was made goes back on the job's budget. Returns the ids that were settled; a missing one was
   * deleted, or its claim has passed to another owner, or the database kept the row as it was (`stillHeld` tells), and
   * nothing was written for it but the attempt. Locks the rows in the order of their ids, so that it and another
   * transaction that does the same never deadlock, and waits for a lock for half a second at most.
   * `again`: the same settlements may have been written before, their reply lost; then only attempts of messages that are
   * settled now are written, so that none is logged twice.
   */
  async settle(job: ClaimKey, settlements: readonly Settlement[], again = false): Promise<number[]> {
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
          ]);
    const further =
      others.length === 0
        ? []
        : await this.database.query<Settled>(SETTLE, [
            job.id,
            job.fence,
            JSON.stringify(others.map((settlement) => ({ ...settlement, agoMs: agoMs(settlement) }))),
            again,
          ]);
    return [...settled, ...further].flatMap((row) => row.ids);
  }

  /** Those of the messages whose claim this owner of the job still holds. */
  async stillHeld(job: ClaimKey, ids: readonly number[]): Promise<number[]> {
    return [...idsOf(await this.database.query<Settled>(STILL_HELD_OF, [job.id, job.fence, ids]))];
  }

  /** Those of the messages that another transaction has locked at this moment, or that are gone. */
  async locked(ids: readonly number[]): Promise<number[]> {
    const free = new Set(idsOf(await this.database.query<Settled>(UNLOCKED, [ids])));
    return ids.filter((id) => !free.has(id));
  }
}

/** One row with a list: a row for each id would cost more than the ids. */
interface Settled {
  readonly ids: readonly number[];
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

function idsOf([row]: readonly Settled[]): readonly number[] {
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
const STILL_HELD = 'message.id = outcome.id AND coalesce(message.claimed_by = $1 AND message.claim_fence = $2, FALSE)';

/**
 * Ends the wait for a lock: `lock_timeout` for this statement alone, set before its first row is locked. Shorter than
 * `deadlock_timeout`, so that of two transactions that wait for each other this one gives way.
 */
const LOCK_PATIENCE = `(SELECT set_config('lock_timeout', '500ms', TRUE)) AS patience`;

// Columns rather than JSON objects, which cost both sides more for what is by far the most frequent outcome.
const SETTLE_SENT: Statement = {
  name: 'messages.settle-sent',
  text: `
    WITH outcome AS (
      SELECT outcome.* FROM ${LOCK_PATIENCE},
        unnest($3::bigint[], $4::text[], $5::float8[], $6::int[], $7::smallint[], $8::int[])
        AS outcome (id, message_id, ago_ms, number, http_status, duration_ms)
    ), settled AS (
      UPDATE messages message SET
        sent_status = TRUE, sent_at = (clock_timestamp() - outcome.ago_ms * interval '1 ms') AT TIME ZONE 'UTC',
        message_id = coalesce(outcome.message_id, message.message_id), attempts = message.attempts + 1,
        next_attempt_at = NULL, parked_as = NULL, parked_reason = NULL, parked_at = NULL,
        claimed_by = NULL, claim_fence = NULL
      FROM outcome
      WHERE ${STILL_HELD}
      RETURNING message.id
    ), logged AS (
      INSERT INTO delivery_attempts (message_id, job_id, number, started_at, duration_ms, http_status, outcome, provider_id)
      SELECT outcome.id, $1, outcome.number,
        clock_timestamp() - (outcome.ago_ms + coalesce(outcome.duration_ms, 0)) * interval '1 ms',
        outcome.duration_ms, outcome.http_status, 'accepted', outcome.message_id
      FROM outcome
      WHERE NOT $9 OR outcome.id IN (SELECT id FROM settled)
    )
    SELECT coalesce(json_agg(id), '[]') AS ids FROM settled`,
};

const SETTLE: Statement = {
  name: 'messages.settle',
  text: `
    WITH outcome AS (
      SELECT outcome.* FROM ${LOCK_PATIENCE}, json_to_recordset($3::json) AS outcome (
        id bigint, state text, "agoMs" float8, charged boolean, "delayMs" float8, reason text, "messageId" text, attempt json)
    ), settled AS (
      UPDATE messages message SET
        sent_status = message.sent_status OR outcome.state = 'sent',
        sent_at = CASE WHEN outcome.state = 'sent'
          THEN (clock_timestamp() - outcome."agoMs" * interval '1 ms') AT TIME ZONE 'UTC' ELSE message.sent_at END,
        message_id = coalesce(outcome."messageId", message.message_id),
        attempts = message.attempts + outcome.charged::int,
        sit_outs = message.sit_outs + (outcome.attempt IS NOT NULL AND NOT outcome.charged)::int,
        doubt = coalesce(message.doubt, CASE WHEN outcome.attempt->>'outcome' = 'uncertain'
          THEN coalesce(outcome.attempt->>'error', 'no answer') END),
        next_attempt_at = CASE WHEN NOT message.sent_status AND outcome.state = 'waiting'
          THEN coalesce(clock_timestamp() + outcome."delayMs" * interval '1 ms', message.next_attempt_at) END,
        parked_as = CASE WHEN NOT message.sent_status AND outcome.state IN ('failed', 'uncertain') THEN outcome.state END,
        parked_reason = CASE WHEN NOT message.sent_status AND outcome.state IN ('failed', 'uncertain') THEN outcome.reason END,
        parked_at = CASE WHEN NOT message.sent_status AND outcome.state IN ('failed', 'uncertain') THEN clock_timestamp() END,
        claimed_by = NULL, claim_fence = NULL
      FROM outcome
      WHERE ${STILL_HELD}
      RETURNING message.id, outcome.attempt IS NULL AS untried
    ), untried AS (
      SELECT id FROM settled WHERE untried
    ), refunded AS (
      UPDATE dispatch_jobs SET claimed = claimed - (SELECT count(*) FROM untried)
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
      WHERE attempt.number IS NOT NULL AND attempt.unlogged IS NULL AND (NOT $4 OR outcome.id IN (SELECT id FROM settled))
    )
    SELECT coalesce(json_agg(id), '[]') AS ids FROM settled`,
};

const STILL_HELD_OF: Statement = {
  name: 'messages.still-held',
  text: `
    SELECT coalesce(json_agg(message.id), '[]') AS ids
    FROM unnest($3::bigint[]) AS outcome (id), messages message
    WHERE ${STILL_HELD}`,
};

const UNLOCKED: Statement = {
  name: 'messages.unlocked',
  text: `
    WITH free AS (SELECT id FROM messages WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
    SELECT coalesce(json_agg(id), '[]') AS ids FROM free`,
};
