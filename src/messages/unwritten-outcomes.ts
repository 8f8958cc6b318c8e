import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database.js';
import { isOfAnOwnerBefore } from '../fences.js';
import { hashOf, isMessage } from './claim-conditions.js';
import type { ClaimKey } from './message-claims.js';
import type { Settlement } from './message-settlements.js';

/** Why something is not in `messages`: names of the database, no value of a row. */
export interface WriteRefusal {
  readonly sqlstate: string | null;
  readonly text: string;
}

/** An outcome that could not be written to `messages`. */
export interface Unwritten {
  readonly settlement: Settlement;
  readonly refusal: WriteRefusal;
}

/** `fence`: whose claim it is, when a former owner of the job made it. */
export type KeptFor = Unwritten & { readonly fence?: number | undefined };

/** One that is due to be tried again. `settlement` null: it is the claim that PostgreSQL refuses. */
export interface DueRetry {
  readonly messageId: number;
  /** Whether its message is still in `messages`: ids come back where a table was truncated or restored. */
  readonly isThere: boolean;
  readonly claim: ClaimKey | null;
  readonly settlement: Settlement | null;
  readonly sqlstate: string | null;
}

export interface UnwrittenSummary {
  /** Up to `COUNTED_MAX`. */
  readonly outcomes: number;
  readonly claims: number;
  /** Of the oldest one. */
  readonly reason: string | null;
  /** Until the next one is due; null when there is none. */
  readonly dueInMs: number | null;
}

/** A statement that was cancelled: the row took too long. */
export const CANCELLED = '57014';
/** With these a row is tried again soon: somebody holds a lock, or it took too long. */
export const PASSES_SOON = `('55P03', '${CANCELLED}')`;

export const COUNTED_MAX = 1_000;

/**
 * Keeps durably what PostgreSQL does not write to `messages`, in a table of the service's own: an outcome stays known after
 * a restart, its message is not claimed again, and its job can end. It is tried again after 1, 2, 4 … 300 s and deleted
 * when it is written; a claim that a lock or a slow trigger keeps out, after 60 s at most. What is kept is of one message, told
 * by the hash of what it is: another message that has its id by now is neither marked nor held up by it.
 */
@Injectable()
export class UnwrittenOutcomes {
  constructor(private readonly database: Database) {}

  /**
   * Keeps outcomes of messages that this owner of the job still has claimed, or whose claim a trigger took away; returns the
   * ids of those.
   */
  async keep(job: ClaimKey, entries: readonly KeptFor[]): Promise<number[]> {
    const now = performance.now();
    const given = entries.map(({ settlement, refusal, fence }) => ({
      id: settlement.id,
      fence: fence ?? job.fence,
      settlement,
      agoMs: Math.max(0, now - settlement.knownAt),
      sqlstate: refusal.sqlstate,
      reason: refusal.text,
    }));
    const rows = await this.database.query<{ id: number }>(KEEP, [job.id, job.fence, JSON.stringify(given)]);
    return rows.map(({ id }) => id);
  }

  /** Takes up to `limit` entries that are due, and postpones them for the case that they are refused again. */
  async takeDue(limit: number): Promise<DueRetry[]> {
    const rows = await this.database.query<DueRow>(TAKE_DUE, [limit]);
    const now = performance.now();
    return rows.map(({ message_id, message_hash, is_there, job_id, fence, settlement, ago_ms, sqlstate }) => ({
      messageId: message_id,
      isThere: is_there,
      sqlstate,
      claim: job_id === null || fence === null ? null : { id: job_id, fence },
      settlement: settlement && {
        ...settlement,
        messageHash: message_hash,
        knownAt: now - ago_ms,
        delayMs: settlement.delayMs === null ? null : Math.max(0, settlement.delayMs - ago_ms),
      },
    }));
  }

  /** Deletes entries; `claim` null: of refused claims. An entry that another owner made meanwhile stays. */
  async drop(claim: ClaimKey | null, ids: readonly number[]): Promise<void> {
    if (ids.length > 0) await this.database.query(DROP, [ids, claim?.id ?? null, claim?.fence ?? null]);
  }

  async summary(): Promise<UnwrittenSummary> {
    const [row] = await this.database.query<SummaryRow>(SUMMARY);
    return {
      outcomes: row?.outcomes ?? 0,
      claims: row?.claims ?? 0,
      reason: row?.reason ?? null,
      dueInMs: row?.due_in_ms == null ? null : Math.max(0, row.due_in_ms),
    };
  }
}

interface DueRow {
  message_id: number;
  message_hash: string | null;
  is_there: boolean;
  job_id: number | null;
  fence: number | null;
  settlement: Settlement | null;
  ago_ms: number;
  sqlstate: string | null;
}

interface SummaryRow {
  outcomes: number;
  claims: number;
  reason: string | null;
  due_in_ms: number | null;
}

/**
 * What a refused claim does where its id is kept already: nothing, unless that entry is of a message that had the id before and
 * is gone. Such an entry would keep this one from being passed over.
 */
export const UNLESS_KEPT = `ON CONFLICT (message_id) DO UPDATE SET
        message_hash = excluded.message_hash, job_id = NULL, fence = NULL, settlement = NULL, known_at = excluded.known_at,
        sqlstate = excluded.sqlstate, reason = excluded.reason, since = excluded.known_at, tries = 0,
        retry_at = excluded.retry_at
      WHERE unwritten_outcomes.message_hash <> excluded.message_hash AND NOT EXISTS (
        SELECT FROM messages message
        WHERE message.id = unwritten_outcomes.message_id AND ${hashOf('message')} = unwritten_outcomes.message_hash)`;

/** No claim of it is there, and none is due: a message that nobody requested only goes on waiting. */
const CLAIM_TAKEN_AWAY = `message.sent_status = FALSE
        AND (message.claimed_by IS NULL OR (message.claimed_by = $1 AND coalesce(message.claim_fence < $2, TRUE)))
        AND (message.parked_as IS NULL OR outcome.settlement->>'state' = 'sent')
        AND NOT (outcome.settlement->>'state' = 'waiting' AND outcome.settlement->>'attempt' IS NULL)
        AND ${isMessage(`(outcome.settlement->>'messageHash')`, hashOf('message'))}
        AND coalesce(${isOfAnOwnerBefore('(SELECT fence FROM job)', '$2')}, FALSE)`;

// A table that inherits may have the same id again: one of the rows is kept, that of the outcome if it is there.
// The job's row is locked, so that no new owner takes the message over between the check of the fence and this write. A job
// that is done, or gone, has no new owner.
const KEEP: Statement = {
  name: 'unwritten-outcomes.keep',
  text: `
    WITH job AS (
      SELECT fence, fence <> $2 AND state = 'running' AS is_another_owners FROM dispatch_jobs WHERE id = $1 FOR NO KEY UPDATE
    ), allowed AS (
      SELECT WHERE NOT coalesce((SELECT is_another_owners FROM job), FALSE)
    ), outcome AS (
      SELECT outcome.* FROM allowed, json_to_recordset($3::json) AS outcome (
        id bigint, fence int, settlement json, "agoMs" float8, sqlstate text, reason text)
    )
    INSERT INTO unwritten_outcomes (message_id, message_hash, job_id, fence, settlement, known_at, sqlstate, reason, retry_at)
    SELECT DISTINCT ON (outcome.id) outcome.id, kept.hash, $1::bigint, outcome.fence, outcome.settlement,
      clock_timestamp() - outcome."agoMs" * interval '1 ms', outcome.sqlstate, outcome.reason, clock_timestamp() + interval '1 s'
    FROM outcome CROSS JOIN LATERAL (
      SELECT ${hashOf('message')} AS hash FROM messages message
      WHERE message.id = outcome.id AND (coalesce(message.claimed_by = $1 AND message.claim_fence = outcome.fence, FALSE)
        OR (${CLAIM_TAKEN_AWAY}))
      ORDER BY ${hashOf('message')} IS NOT DISTINCT FROM outcome.settlement->>'messageHash' DESC
      LIMIT 1
    ) AS kept
    ORDER BY outcome.id, kept.hash IS NOT DISTINCT FROM outcome.settlement->>'messageHash' DESC
    ON CONFLICT (message_id) DO UPDATE SET
      message_hash = excluded.message_hash, job_id = excluded.job_id, fence = excluded.fence, settlement = excluded.settlement,
      known_at = excluded.known_at, sqlstate = excluded.sqlstate, reason = excluded.reason
    RETURNING message_id AS id`,
};

const TAKE_DUE: Statement = {
  name: 'unwritten-outcomes.take-due',
  text: `
    UPDATE unwritten_outcomes SET
      tries = tries + 1,
      retry_at = clock_timestamp() + interval '1 s' * least(2 ^ least(tries + 1, 10),
        CASE WHEN settlement IS NULL AND sqlstate IN ${PASSES_SOON} THEN 60 ELSE 300 END)
    WHERE message_id = ANY (ARRAY(
      SELECT message_id FROM unwritten_outcomes WHERE retry_at <= (SELECT clock_timestamp())
      ORDER BY retry_at LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING message_id, message_hash, job_id, fence, settlement, sqlstate,
      EXISTS (SELECT FROM messages message WHERE message.id = unwritten_outcomes.message_id
        AND ${isMessage('unwritten_outcomes.message_hash', hashOf('message'))}) AS is_there,
      extract(epoch FROM clock_timestamp() - known_at)::float8 * 1000 AS ago_ms`,
};

const DROP: Statement = {
  name: 'unwritten-outcomes.drop',
  text: `
    DELETE FROM unwritten_outcomes
    WHERE message_id = ANY ($1::bigint[])
      AND job_id IS NOT DISTINCT FROM $2::bigint AND fence IS NOT DISTINCT FROM $3::int`,
};

const SUMMARY: Statement = {
  name: 'unwritten-outcomes.summary',
  text: `
    WITH counted AS (SELECT settlement IS NULL AS is_claim FROM unwritten_outcomes LIMIT ${COUNTED_MAX})
    SELECT (SELECT count(*) FROM counted WHERE NOT is_claim) AS outcomes,
      (SELECT count(*) FROM counted WHERE is_claim) AS claims,
      (SELECT reason FROM unwritten_outcomes ORDER BY retry_at LIMIT 1) AS reason,
      (SELECT extract(epoch FROM min(retry_at) - clock_timestamp())::float8 * 1000 FROM unwritten_outcomes) AS due_in_ms`,
};
