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
  /** Requests that were not: their answers may have been the fault of the way. */
  readonly sitOuts: number;
  /** The error of its first attempt of which nobody knows the outcome; null: there is none. */
  readonly doubt: string | null;
}

/** What a new owner of a job found claimed by earlier ones. */
export interface Inheritance {
  readonly taken: ClaimedMessage[];
  /** How many are left because somebody has them locked or changed them in that moment: take over again. */
  readonly left: number;
}

/**
 * Claims messages for a job. A claim belongs to one owner of one job; it ends by being settled (`MessageSettlements`),
 * released, or recovered by the job's next owner. Replicas may call all of this at once: none receives another's rows. Nothing
 * here waits for the lock of a message, which anybody may hold for long, with the job's row in hand: renewals and the
 * scheduler would wait for that.
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
   * claim was lost, or the claim is still on its way: it claims nothing any more. Only for an owner that has settled every
   * message for which it made a request. Returns how many are left, as in `Inheritance`: release again.
   */
  async release(job: ClaimKey): Promise<number> {
    await this.database.query(CLOSE, [job.id, job.fence]);
    // A statement of its own, so that it sees what a claim that the first one waited for has claimed.
    return leftOf(await this.database.query<Left>(RELEASE, [job.id, job.fence]));
  }

  /**
   * Gives back messages whose turn has not come and puts them on the job's budget again, those included that were marked
   * or deleted meanwhile. Returns how many are left, as in `Inheritance`: those stay claimed until a release.
   */
  async giveBack(job: ClaimKey, ids: readonly number[]): Promise<number> {
    return leftOf(await this.database.query<Left>(GIVE_BACK, [job.id, job.fence, ids]));
  }

  /** Takes over what earlier owners of the job left claimed: whether those messages were sent is not known here. */
  async takeOver(job: ClaimKey): Promise<Inheritance> {
    const [row] = await this.database.query<{ taken: ClaimedMessage[]; left: number }>(TAKE_OVER, [job.id, job.fence]);
    return row ?? { taken: [], left: 0 };
  }
}

interface Left {
  readonly left: number;
}

function leftOf([row]: readonly Left[]): number {
  return row?.left ?? 0;
}

/** The columns of a `ClaimedMessage`. */
const CLAIMED = `message.id, message.recipient_phone AS "recipientPhone", message.content, message.attempts,
        message.sit_outs AS "sitOuts", message.doubt`;

const WAKE_RETRIES: Statement = {
  name: 'messages.wake-retries',
  text: `
    UPDATE messages SET next_attempt_at = NULL
    WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM messages
      WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at <= clock_timestamp()
      FOR UPDATE SKIP LOCKED))`,
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
 * Nothing of it stands in `unwritten_outcomes`. NOT IN is never planned as a join: it is read once, nearly always empty, and
 * leaves the order of the index in force.
 */
const isWritable = (id: string) => `${id} NOT IN (SELECT message_id FROM unwritten_outcomes)`;

/**
 * The rows are locked where they lie and written by that place, without a second search for each. One that somebody changed
 * between the statement's snapshot and its lock lies elsewhere by now: it is left for the next claim.
 */
const CLAIM: Statement = {
  name: 'messages.claim',
  text: `
    WITH job AS (
      SELECT budget - claimed AS credit, horizon FROM dispatch_jobs
      WHERE id = $1 AND fence = $2 AND closed_fence IS DISTINCT FROM $2 AND state = 'running'
        AND (SELECT running FROM scheduler_state)
      FOR NO KEY UPDATE
    ), due AS (
      SELECT ctid AS place FROM messages
      WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NULL AND claimed_by IS NULL
        AND id > $4 AND id <= (SELECT horizon FROM job)
        AND ${isWritable('id')}
      ORDER BY id
      LIMIT coalesce((SELECT least($3::int, credit) FROM job), 0)
      FOR UPDATE SKIP LOCKED
    ), claimed AS (
      UPDATE messages message SET claimed_by = $1, claim_fence = $2
      WHERE message.ctid = ANY (ARRAY(SELECT place FROM due))
      RETURNING ${CLAIMED}
    ), charged AS (
      UPDATE dispatch_jobs SET
        claimed = claimed + (SELECT count(*) FROM claimed),
        claimed_to = greatest(claimed_to, (SELECT max(id) FROM claimed))
      WHERE id = $1 AND EXISTS (SELECT FROM claimed)
    )
    SELECT * FROM claimed ORDER BY id`,
};

const CLOSE: Statement = {
  name: 'messages.close-job',
  text: `UPDATE dispatch_jobs SET closed_fence = $2 WHERE id = $1 AND fence = $2`,
};

/** Of the claims that `condition` tells, `held` has those that could be locked at once. */
const hold = (condition: string) => `
    claim AS (
      SELECT message.ctid AS place FROM messages message, job WHERE ${condition}
    ), held AS (
      SELECT message.ctid AS place FROM messages message, job WHERE ${condition}
      FOR UPDATE OF message SKIP LOCKED
    )`;

/** Frees what could be locked, and counts it and what is left. */
const free = (condition: string) => `${hold(condition)}, freed AS (
      UPDATE messages message SET claimed_by = NULL, claim_fence = NULL
      WHERE message.ctid = ANY (ARRAY(SELECT place FROM held))
      RETURNING message.id
    ), counted AS (
      SELECT (SELECT count(*) FROM freed) AS freed, (SELECT count(*) FROM claim) - (SELECT count(*) FROM freed) AS left
    )`;

const RELEASE: Statement = {
  name: 'messages.release',
  text: `
    WITH job AS (
      SELECT claimed_to FROM dispatch_jobs WHERE id = $1 AND fence = $2 FOR NO KEY UPDATE
    ), ${free(`message.sent_status = FALSE AND message.id <= job.claimed_to
        AND message.claimed_by = $1 AND message.claim_fence = $2 AND ${isWritable('message.id')}`)}
    UPDATE dispatch_jobs SET claimed = claimed - counted.freed FROM counted
    WHERE id = $1 AND fence = $2
    RETURNING counted.left`,
};

const GIVE_BACK: Statement = {
  name: 'messages.give-back',
  text: `
    WITH job AS (
      SELECT id FROM dispatch_jobs WHERE id = $1 AND fence = $2 AND closed_fence IS DISTINCT FROM $2 FOR NO KEY UPDATE
    ), ${free('message.id = ANY ($3::bigint[]) AND message.claimed_by = $1 AND message.claim_fence = $2')}
    UPDATE dispatch_jobs SET claimed = claimed - (cardinality($3::bigint[]) - counted.left) FROM job, counted
    WHERE dispatch_jobs.id = job.id
    RETURNING counted.left`,
};

const TAKE_OVER: Statement = {
  name: 'messages.take-over',
  text: `
    WITH job AS (
      SELECT claimed_to FROM dispatch_jobs WHERE id = $1 AND fence = $2 AND state = 'running' FOR NO KEY UPDATE
    ), ${hold(`message.sent_status = FALSE AND message.id <= job.claimed_to
        AND message.claimed_by = $1 AND message.claim_fence < $2 AND ${isWritable('message.id')}`)}, taken AS (
      UPDATE messages message SET claim_fence = $2
      WHERE message.ctid = ANY (ARRAY(SELECT place FROM held))
      RETURNING ${CLAIMED}
    )
    SELECT coalesce((SELECT json_agg(taken ORDER BY id) FROM taken), '[]') AS taken,
      (SELECT count(*) FROM claim) - (SELECT count(*) FROM taken) AS left`,
};
