import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { ApiDatabase, type Statement } from '../database.js';
import { z } from 'zod';
import { Message } from './message.entity.js';
import type { AttemptView, MessageState, MessageView, SentMessage } from './message.schemas.js';
import type { SentPosition } from './sent-cursor.js';

export interface NewMessage {
  readonly recipient_phone: string;
  readonly content: string;
}

export interface SentPage {
  readonly messages: readonly SentMessage[];
  /** Where the next page goes on; null when there is none. */
  readonly next: SentPosition | null;
}

const insertedIds = z.array(z.object({ id: z.number() }));

/** Stores and lists messages. Sending them is `MessageClaims`' part. */
@Injectable()
export class MessagesRepository {
  constructor(
    private readonly dataSource: DataSource,
    private readonly database: ApiDatabase,
  ) {}

  /** Stores all of them or none, in their order; returns their ids in the same order. */
  async insert(messages: readonly NewMessage[], manager = this.dataSource.manager): Promise<number[]> {
    const result = await manager
      .createQueryBuilder()
      .insert()
      .into(Message)
      .values(messages.map((message) => ({ recipientPhone: message.recipient_phone, content: message.content })))
      .returning('id')
      .execute();
    return insertedIds.parse(result.raw).map((row) => row.id);
  }

  /** Stores one message and returns it, in one statement: once it is stored, nothing that may fail lies before the answer. */
  async insertOne({ recipient_phone, content }: NewMessage, manager: EntityManager): Promise<MessageView> {
    const [message] = await manager.query<MessageView[]>(INSERT_ONE, [recipient_phone, content]);
    if (message === undefined) throw new Error('a message was stored and is not there');
    return message;
  }

  /** One message with its attempts, oldest first; null when there is none of that id. */
  async find(id: number): Promise<(MessageView & { attempts: AttemptView[] }) | null> {
    const [message] = await this.database.query<MessageView>(FIND, [id]);
    if (message === undefined) return null;
    // After the message, not beside it: a message that reads as sent then always has the attempt that sent it.
    return { ...message, attempts: await this.database.query<AttemptView>(ATTEMPTS, [id]) };
  }

  /** Up to `limit` messages with an id above `afterId`, oldest first, of one state or of all. */
  async list(state: MessageState | null, afterId: number, limit: number): Promise<MessageView[]> {
    return await this.database.query<MessageView>(LIST[state ?? 'any'], [afterId, limit]);
  }

  /** Up to `limit` sent messages after `after`, newest first. Its cost does not grow with the table. */
  async listSent(limit: number, after: SentPosition | null): Promise<SentPage> {
    const rows = await this.database.tuples<SentRow>(LIST_SENT, [
      after?.sentAt ?? 'infinity',
      after?.id ?? Number.MAX_SAFE_INTEGER,
      limit + 1,
    ]);
    const last = rows[limit - 1];
    return {
      messages: rows.slice(0, limit).map(toSentMessage),
      next: rows.length > limit && last !== undefined ? positionOf(last) : null,
    };
  }
}

const utc = (column: string) => `to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
const zoned = (column: string) => utc(`${column} AT TIME ZONE 'UTC'`);

/** The columns of a `MessageView`. */
export const VIEW = `id, recipient_phone, content, sent_status, ${utc('sent_at')} AS sent_at, message_id,
      CASE WHEN sent_status THEN 'sent' WHEN parked_as IS NOT NULL THEN parked_as
           WHEN claimed_by IS NOT NULL THEN 'sending' ELSE 'waiting' END AS state,
      ${zoned('created_at')} AS created_at,
      attempts AS charged_attempts, sit_outs AS uncharged_attempts, doubt,
      ${zoned('next_attempt_at')} AS next_attempt_at,
      parked_reason, ${zoned('parked_at')} AS parked_at`;

/** Why a message does not move although it is not parked: what PostgreSQL does not let the service write. */
const UNWRITTEN_REASON = `(
      SELECT CASE WHEN settlement IS NULL THEN 'it cannot be claimed'
          WHEN settlement->>'state' = 'sent' THEN 'the receiver accepted it, and its mark cannot be written to messages'
          ELSE 'its outcome (' || (settlement->>'state') || ') cannot be written to messages' END
        || ': ' || reason || '; it is tried again'
      FROM unwritten_outcomes WHERE message_id = messages.id)`;

const FIND: Statement = {
  name: 'messages.find',
  text: `
    SELECT ${VIEW.replace('parked_reason', `coalesce(parked_reason, ${UNWRITTEN_REASON}) AS parked_reason`)}
    FROM messages WHERE id = $1`,
};

const INSERT_ONE = `INSERT INTO messages (recipient_phone, content) VALUES ($1, $2) RETURNING ${VIEW}`;

/** Each condition is one that an index of its own serves; what is being sent lies below the newest claim. */
const CONDITIONS: Readonly<Record<MessageState | 'any', string>> = {
  any: 'TRUE',
  sent: 'sent_status = TRUE',
  waiting: 'sent_status = FALSE AND parked_as IS NULL AND claimed_by IS NULL',
  sending: `sent_status = FALSE AND parked_as IS NULL AND claimed_by IS NOT NULL
    AND id <= (SELECT max(claimed_to) FROM dispatch_jobs WHERE state = 'running')`,
  failed: `parked_as = 'failed' AND sent_status = FALSE`,
  uncertain: `parked_as = 'uncertain' AND sent_status = FALSE`,
  cancelled: `parked_as = 'cancelled' AND sent_status = FALSE`,
};

const listOf = (state: MessageState | 'any'): Statement => ({
  name: `messages.list-${state}`,
  text: `SELECT ${VIEW} FROM messages WHERE ${CONDITIONS[state]} AND id > $1 ORDER BY id LIMIT $2`,
});

const LIST: Readonly<Record<MessageState | 'any', Statement>> = {
  any: listOf('any'),
  sent: listOf('sent'),
  waiting: listOf('waiting'),
  sending: listOf('sending'),
  failed: listOf('failed'),
  uncertain: listOf('uncertain'),
  cancelled: listOf('cancelled'),
};

const ATTEMPTS: Statement = {
  name: 'messages.attempts',
  text: `
    SELECT number, ${zoned('started_at')} AS started_at, duration_ms, outcome, http_status, error, provider_id,
      response_excerpt, job_id
    FROM delivery_attempts WHERE message_id = $1 ORDER BY id`,
};

/** A row of `LIST_SENT`. */
type SentRow = [
  id: number,
  recipientPhone: string,
  content: string,
  sentStatus: boolean,
  sentAt: string | null,
  messageId: string | null,
  position: string,
];

function toSentMessage([id, recipient_phone, content, sent_status, sent_at, message_id]: SentRow): SentMessage {
  return { id, recipient_phone, content, sent_status, sent_at, message_id };
}

function positionOf([id, , , , , , sentAt]: SentRow): SentPosition {
  return { sentAt, id };
}

/** `$1`, `$2` the position to go on after, `$3` the limit. */
export const LIST_SENT: Statement = {
  // Not `list-…`: that is the list by state, another statement.
  name: 'messages.sent-page',
  text: `
    SELECT id, recipient_phone, content, sent_status, ${utc('sent_at')} AS sent_at, message_id,
      coalesce(to_char(sent_at, 'YYYY-MM-DD HH24:MI:SS.US'), sent_at::text, '-infinity') AS position
    FROM messages
    WHERE sent_status = TRUE AND (coalesce(sent_at, '-infinity'::timestamp), id) < ($1::timestamp, $2::bigint)
    ORDER BY coalesce(sent_at, '-infinity'::timestamp) DESC, id DESC
    LIMIT $3`,
};
