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

/**
 * Claims messages for a job. A claim belongs to one owner of one job; it ends by being settled (`MessageSettlements`),
 * released, or recovered by the job's next owner. Replicas may call all of this at once: none waits for, or receives, another's rows.
 */
@Injectable()
export class MessageClaims {
  /**
   * True while there is a message to send or a claim to recover; an SQL expression for the scheduler. Both parts read the
   * head of a partial index, whatever the statistics say: for a plain EXISTS the planner would scan the whole table, in the
   * hope of an early match, as long as it believes in a backlog that has been sent by now.
   */
  static readonly WORK_EXISTS = `
    (SELECT id FROM messages
     WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NULL
     ORDER BY id LIMIT 1) IS NOT NULL
    OR coalesce((SELECT next_attempt_at FROM messages
                 WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NOT NULL
                 ORDER BY next_attempt_at LIMIT 1) <= clock_timestamp(), FALSE)`;

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

/**
 * The rows are locked where they lie and written by that place, without a second search for each. One that somebody changed
 * between the statement's snapshot and its lock lies elsewhere by now: it is left for the next claim.
 */
const CLAIM: Statement = {
  name: 'messages.claim',
  text: `
    WITH job AS (
      SELECT budget - claimed AS credit, horizon FROM dispatch_jobs
      WHERE id = $1 AND fence = $2 AND state = 'running' AND (SELECT running FROM scheduler_state)
      FOR NO KEY UPDATE
    ), due AS (
      SELECT ctid AS place FROM messages
      WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NULL AND claimed_by IS NULL
        AND id > $4 AND id <= (SELECT horizon FROM job)
      ORDER BY id
      LIMIT coalesce((SELECT least($3::int, credit) FROM job), 0)
      FOR UPDATE SKIP LOCKED
    ), claimed AS (
      UPDATE messages message SET claimed_by = $1, claim_fence = $2
      WHERE message.ctid = ANY (ARRAY(SELECT place FROM due))
      RETURNING message.id, message.recipient_phone AS "recipientPhone", message.content, message.attempts
    ), charged AS (
      UPDATE dispatch_jobs SET
        claimed = claimed + (SELECT count(*) FROM claimed),
        claimed_to = greatest(claimed_to, (SELECT max(id) FROM claimed))
      WHERE id = $1 AND EXISTS (SELECT FROM claimed)
    )
    SELECT * FROM claimed ORDER BY id`,
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
