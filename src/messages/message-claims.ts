import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database.js';

/** A job in the hands of one owner. A write under an old fence changes nothing. */
export interface ClaimKey {
  readonly id: number;
  readonly fence: number;
}

export interface ClaimedMessage {
  readonly id: number;
  readonly recipientPhone: string;
  readonly content: string;
  /** Requests that were charged to it before. */
  readonly attempts: number;
}

/** One HTTP attempt, for the log in `delivery_attempts`. Durations are milliseconds of the monotonic clock. */
export interface AttemptRecord {
  readonly number: number;
  readonly durationMs: number | null;
  readonly httpStatus: number | null;
  readonly outcome: 'accepted' | 'refused' | 'unavailable' | 'channel' | 'uncertain';
  readonly error: string | null;
  readonly responseExcerpt: string | null;
}

/** How a claimed message goes on. */
export interface Settlement {
  readonly id: number;
  readonly state: 'sent' | 'waiting' | 'failed' | 'uncertain';
  /** How long ago the outcome was known; the database's clock minus this is what is written down. */
  readonly agoMs: number;
  readonly charged: boolean;
  /** `waiting`: not before so long from now; null: at once. */
  readonly delayMs: number | null;
  /** `failed`, `uncertain`: for people. */
  readonly reason: string | null;
  /** The provider's id. */
  readonly messageId: string | null;
  /** null when no request was made. */
  readonly attempt: AttemptRecord | null;
}

/**
 * Claims messages for a job and settles them. A claim belongs to one owner of one job; it ends by being settled, released,
 * or recovered by the job's next owner. Replicas may call all of this at once: none waits for, or receives, another's rows.
 */
@Injectable()
export class MessageClaims {
  /**
   * True while there is a message to send or a claim to recover; an SQL expression for the scheduler.
   * Both parts read the head of a partial index.
   */
  static readonly WORK_EXISTS = `
    EXISTS (SELECT FROM messages WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NULL)
    OR EXISTS (SELECT FROM messages
               WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at <= clock_timestamp())`;

  constructor(private readonly database: Database) {}

  /**
   * Opens the job: messages whose pause is over become sendable again, and the newest id is noted once per job, so that
   * what is inserted meanwhile goes out in the next one. Returns the installation's id.
   */
  async open(job: ClaimKey): Promise<string> {
    await this.database.query(WAKE_RETRIES);
    const [row] = await this.database.query<{ installation_id: string }>(OPEN, [job.id, job.fence]);
    return row?.installation_id ?? '';
  }

  /**
   * Claims up to `limit` sendable messages, oldest first, and takes them off the job's budget. Empty: there are none, the
   * budget is spent, sending was stopped, or the job has another owner. A message marked by hand or deleted is not claimed.
   * `afterId` passes over what was claimed before, and need not be read again.
   */
  async claim(job: ClaimKey, limit: number, afterId = 0): Promise<ClaimedMessage[]> {
    return await this.database.query<ClaimedMessage>(CLAIM, [job.id, job.fence, limit, afterId]);
  }

  /**
   * Writes outcomes and attempts, each message's in one transaction. A message that was marked by hand meanwhile stays sent;
   * one for which no request was made goes back on the job's budget. Returns the ids that were settled; a missing one was
   * deleted, or its claim has passed to another owner, and nothing was written for it but the attempt.
   * `again`: the same settlements may have been written before, their reply lost; then only attempts of messages that are
   * settled now are written, so that none is logged twice.
   */
  async settle(job: ClaimKey, settlements: readonly Settlement[], again = false): Promise<number[]> {
    const [sent, others] = apart(settlements);
    const settled =
      sent.length === 0
        ? []
        : await this.database.query<Settled>(SETTLE_SENT, [
            job.id,
            job.fence,
            arrayOf(sent.map(({ id }) => id)),
            sent.map(({ messageId }) => messageId),
            arrayOf(sent.map(({ agoMs }) => agoMs)),
            arrayOf(sent.map(({ attempt }) => attempt.number)),
            arrayOf(sent.map(({ attempt }) => attempt.httpStatus)),
            arrayOf(sent.map(({ attempt }) => attempt.durationMs)),
            again,
          ]);
    const further =
      others.length === 0
        ? []
        : await this.database.query<Settled>(SETTLE, [job.id, job.fence, JSON.stringify(others), again]);
    return [...settled, ...further].flatMap((row) => row.ids);
  }

  /**
   * Gives back whatever this owner of the job still has claimed, also what it never heard of because the reply to its
   * claim was lost. Only for an owner that has settled every message for which it made a request.
   */
  async release(job: ClaimKey): Promise<void> {
    await this.database.query(RELEASE, [job.id, job.fence]);
  }

  /**
   * Gives back messages whose turn has not come and puts them on the job's budget again, those included that were marked
   * or deleted meanwhile.
   */
  async giveBack(job: ClaimKey, ids: readonly number[]): Promise<void> {
    await this.database.query(GIVE_BACK, [job.id, job.fence, ids]);
  }

  /** Takes over what earlier owners of the job left claimed: whether those messages were sent is not known here. */
  async takeOver(job: ClaimKey): Promise<ClaimedMessage[]> {
    return await this.database.query<ClaimedMessage>(TAKE_OVER, [job.id, job.fence]);
  }
}

type PlainSettlement = Settlement & { readonly attempt: AttemptRecord };

/** One row with a list: a row for each id would cost more than the ids. */
interface Settled {
  readonly ids: readonly number[];
}

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

/** A PostgreSQL array of numbers, as its text form; node-postgres would quote and escape every item. */
function arrayOf(items: readonly (number | null)[]): string {
  return `{${items.map((item) => item ?? 'NULL').join(',')}}`;
}

const WAKE_RETRIES: Statement = {
  name: 'messages.wake-retries',
  text: `
    UPDATE messages SET next_attempt_at = NULL
    WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at <= clock_timestamp()`,
};

const OPEN: Statement = {
  name: 'messages.open-job',
  text: `
    WITH opened AS (
      UPDATE dispatch_jobs SET horizon = (SELECT coalesce(max(id), 0) FROM messages)
      WHERE id = $1 AND fence = $2 AND horizon IS NULL
    )
    SELECT installation_id FROM scheduler_state`,
};

const CLAIM: Statement = {
  name: 'messages.claim',
  text: `
    WITH job AS (
      SELECT budget - claimed AS credit, horizon FROM dispatch_jobs
      WHERE id = $1 AND fence = $2 AND state = 'running' AND (SELECT running FROM scheduler_state)
      FOR NO KEY UPDATE
    ), due AS (
      SELECT id FROM messages
      WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NULL AND claimed_by IS NULL
        AND id > $4 AND id <= (SELECT horizon FROM job)
      ORDER BY id
      LIMIT coalesce((SELECT least($3::int, credit) FROM job), 0)
      FOR UPDATE SKIP LOCKED
    ), charged AS (
      UPDATE dispatch_jobs SET
        claimed = claimed + (SELECT count(*) FROM due),
        claimed_to = greatest(claimed_to, (SELECT max(id) FROM due))
      WHERE id = $1 AND EXISTS (SELECT FROM due)
    ), claimed AS (
      UPDATE messages message SET claimed_by = $1, claim_fence = $2 FROM due WHERE message.id = due.id
      RETURNING message.id, message.recipient_phone AS "recipientPhone", message.content, message.attempts
    )
    SELECT * FROM claimed ORDER BY id`,
};

// Columns rather than JSON objects, which cost both sides more for what is by far the most frequent outcome.
const SETTLE_SENT: Statement = {
  name: 'messages.settle-sent',
  text: `
    WITH outcome AS (
      SELECT * FROM unnest($3::bigint[], $4::text[], $5::float8[], $6::int[], $7::smallint[], $8::int[])
        AS outcome (id, message_id, ago_ms, number, http_status, duration_ms)
    ), settled AS (
      UPDATE messages message SET
        sent_status = TRUE, sent_at = (clock_timestamp() - outcome.ago_ms * interval '1 ms') AT TIME ZONE 'UTC',
        message_id = coalesce(outcome.message_id, message.message_id), attempts = message.attempts + 1,
        next_attempt_at = NULL, parked_as = NULL, parked_reason = NULL, parked_at = NULL,
        claimed_by = NULL, claim_fence = NULL
      FROM outcome
      WHERE message.id = outcome.id AND coalesce(message.claimed_by = $1 AND message.claim_fence = $2, FALSE)
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

// `coalesce` keeps the planner from trusting the statistics of the claim columns, which are all NULL in an idle table: it
// would expect one row and scan the whole table for each outcome.
const SETTLE: Statement = {
  name: 'messages.settle',
  text: `
    WITH outcome AS (
      SELECT * FROM json_to_recordset($3::json) AS outcome (
        id bigint, state text, "agoMs" float8, charged boolean, "delayMs" float8, reason text, "messageId" text, attempt json)
    ), settled AS (
      UPDATE messages message SET
        sent_status = message.sent_status OR outcome.state = 'sent',
        sent_at = CASE WHEN outcome.state = 'sent'
          THEN (clock_timestamp() - outcome."agoMs" * interval '1 ms') AT TIME ZONE 'UTC' ELSE message.sent_at END,
        message_id = coalesce(outcome."messageId", message.message_id),
        attempts = message.attempts + outcome.charged::int,
        next_attempt_at = CASE WHEN NOT message.sent_status AND outcome.state = 'waiting'
          THEN clock_timestamp() + outcome."delayMs" * interval '1 ms' END,
        parked_as = CASE WHEN NOT message.sent_status AND outcome.state IN ('failed', 'uncertain') THEN outcome.state END,
        parked_reason = CASE WHEN NOT message.sent_status AND outcome.state IN ('failed', 'uncertain') THEN outcome.reason END,
        parked_at = CASE WHEN NOT message.sent_status AND outcome.state IN ('failed', 'uncertain') THEN clock_timestamp() END,
        claimed_by = NULL, claim_fence = NULL
      FROM outcome
      WHERE message.id = outcome.id AND coalesce(message.claimed_by = $1 AND message.claim_fence = $2, FALSE)
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
        number int, "durationMs" float8, "httpStatus" smallint, outcome text, error text, "responseExcerpt" text)
      WHERE attempt.number IS NOT NULL AND (NOT $4 OR outcome.id IN (SELECT id FROM settled))
    )
    SELECT coalesce(json_agg(id), '[]') AS ids FROM settled`,
};

const RELEASE: Statement = {
  name: 'messages.release',
  text: `
    WITH job AS (
      SELECT claimed_to FROM dispatch_jobs WHERE id = $1 AND fence = $2 FOR NO KEY UPDATE
    ), released AS (
      UPDATE messages message SET claimed_by = NULL, claim_fence = NULL
      FROM job
      WHERE message.sent_status = FALSE AND message.id <= job.claimed_to
        AND message.claimed_by = $1 AND message.claim_fence = $2
      RETURNING message.id
    )
    UPDATE dispatch_jobs SET claimed = claimed - (SELECT count(*) FROM released) WHERE id = $1 AND fence = $2`,
};

const GIVE_BACK: Statement = {
  name: 'messages.give-back',
  text: `
    WITH job AS (
      UPDATE dispatch_jobs SET claimed = claimed - cardinality($3::bigint[]) WHERE id = $1 AND fence = $2
      RETURNING id
    )
    UPDATE messages message SET claimed_by = NULL, claim_fence = NULL
    FROM job
    WHERE message.id = ANY ($3::bigint[]) AND message.claimed_by = $1 AND message.claim_fence = $2`,
};

const TAKE_OVER: Statement = {
  name: 'messages.take-over',
  text: `
    WITH job AS (
      SELECT claimed_to FROM dispatch_jobs WHERE id = $1 AND fence = $2 AND state = 'running' FOR NO KEY UPDATE
    ), taken AS (
      UPDATE messages message SET claim_fence = $2
      FROM job
      WHERE message.sent_status = FALSE AND message.id <= job.claimed_to
        AND message.claimed_by = $1 AND message.claim_fence <= $2
      RETURNING message.id, message.recipient_phone AS "recipientPhone", message.content, message.attempts
    )
    SELECT * FROM taken ORDER BY id`,
};
