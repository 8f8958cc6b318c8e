import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ApiDatabase, type Statement } from '../database.js';
import { hasOwnCode } from '../database-refusal.js';
import { z } from 'zod';
import { hashOf, isMessage } from './claim-conditions.js';
import type { AttemptView, MessageView } from './message.schemas.js';
import { OF_THIS_MESSAGE, VIEW, zoned } from './message-view.js';

export interface NewMessage {
  readonly recipient_phone: string;
  readonly content: string;
}

export interface AttemptPage {
  /** Newest first. */
  readonly attempts: readonly AttemptView[];
  /** What `before` the next page has; null when there is none. */
  readonly next: number | null;
}

const DIVISION_BY_ZERO = /^22012$/;

/** Whether an insert failed because a row was kept out without an error. */
export function wasKeptOut(error: unknown): boolean {
  return hasOwnCode(error, DIVISION_BY_ZERO);
}

const insertedIds = z.array(z.object({ id: z.number() }));

/** Stores and finds messages. Sending them is `MessageClaims`' part, listing them that of `MessageLists`. */
@Injectable()
export class MessagesRepository {
  constructor(private readonly database: ApiDatabase) {}

  /**
   * Stores all of them or none, in their order; returns their ids in the same order.
   * @throws an error for which `wasKeptOut` holds when PostgreSQL kept one of them out without an error.
   */
  async insert(messages: readonly NewMessage[], manager: EntityManager): Promise<number[]> {
    const phones = messages.map(({ recipient_phone }) => recipient_phone);
    const rows: unknown = await manager.query(INSERT_ALL, [phones, messages.map(({ content }) => content)]);
    return insertedIds.parse(rows).map(({ id }) => id);
  }

  /**
   * Stores one message and returns it, in one statement: once it is stored, nothing that may fail lies before the answer.
   * @throws as `insert` does.
   */
  async insertOne({ recipient_phone, content }: NewMessage, manager: EntityManager): Promise<MessageView> {
    const [message] = await manager.query<MessageView[]>(INSERT_ONE, [recipient_phone, content]);
    if (message === undefined) throw new Error('a message was stored and is not there');
    return message;
  }

  /** One message; null when there is none of that id. */
  async find(id: number): Promise<MessageView | null> {
    const [message] = await this.database.query<MessageView>(FIND, [id]);
    return message ?? null;
  }

  /** Triggers and rules of the table that may keep a row out of it, for people. */
  async interceptors(): Promise<string[]> {
    return (await this.database.query<{ name: string }>(INTERCEPTORS)).map(({ name }) => name);
  }

  /** Up to `limit` attempts of a message that come before the one at `before`, newest first. */
  async attempts(id: number, limit: number, before = Number.MAX_SAFE_INTEGER): Promise<AttemptPage> {
    const rows = await this.database.query<AttemptView & { attempt_id: number }>(ATTEMPTS, [id, before, limit + 1]);
    const page = rows.slice(0, limit);
    return {
      attempts: page.map(({ attempt_id: _attemptId, ...attempt }) => attempt),
      next: rows.length > limit ? (page.at(-1)?.attempt_id ?? null) : null,
    };
  }
}

/** Why a message does not move although it is not parked: what PostgreSQL does not let the service write. */
const UNWRITTEN_REASON = `(
      SELECT CASE WHEN settlement IS NULL THEN 'it cannot be claimed'
          WHEN settlement->>'state' = 'sent' THEN 'the receiver accepted it, and its mark cannot be written to messages'
          ELSE 'its outcome (' || (settlement->>'state') || ') cannot be written to messages' END
        || ': ' || reason || '; it is tried again'
      FROM unwritten_outcomes kept
      WHERE kept.message_id = messages.id AND ${isMessage('kept.message_hash', hashOf('messages'))})`;

export const FIND: Statement = {
  name: 'messages.find',
  text: `
    SELECT ${VIEW.replace('parked_reason', `coalesce(parked_reason, ${UNWRITTEN_REASON}) AS parked_reason`)}
    FROM messages WHERE id = $1::bigint`,
};

/**
 * A trigger that returns no row, or a rule, keeps a row out without an error, and may have stored it somewhere else: then the
 * division fails, and the statement with all that it did.
 */
const stored = (insert: string, expected: string, columns: string) => `
    WITH stored AS (INSERT INTO messages (recipient_phone, content) ${insert} RETURNING ${columns})
    SELECT stored.* FROM (SELECT 1 / (count(*) = ${expected})::int AS complete FROM stored) checked
    LEFT JOIN stored ON complete = 1`;

const INSERT_ONE = stored('VALUES ($1, $2)', '1', VIEW);

const INSERT_ALL = `${stored(
  `SELECT phone, content FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS item (phone, content, position)
   ORDER BY position`,
  'cardinality($1::text[])',
  'id',
)} ORDER BY stored.id`;

const ATTEMPTS: Statement = {
  name: 'messages.attempts',
  text: `
    SELECT number, ${zoned('started_at')} AS started_at, duration_ms, outcome, http_status, error, provider_id,
      response_excerpt, job_id, id AS attempt_id
    FROM delivery_attempts WHERE message_id = $1 AND id < $2 AND ${OF_THIS_MESSAGE} ORDER BY id DESC LIMIT $3`,
};

// Of `tgtype`, 2 is BEFORE and 4 is INSERT.
export const INTERCEPTORS: Statement = {
  name: 'messages.interceptors',
  text: `
    SELECT 'the trigger ' || tgname AS name FROM pg_trigger
    WHERE tgrelid = 'messages'::regclass AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 6 = 6
    UNION ALL
    SELECT 'the rule ' || rulename FROM pg_rewrite WHERE ev_class = 'messages'::regclass
    LIMIT 10`,
};
