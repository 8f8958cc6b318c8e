import { Injectable } from '@nestjs/common';
import { ApiDatabase, type Statement } from '../database.js';
import { HIGHEST_ID, LOWEST_ID } from './claim-conditions.js';
import type { MessageState, MessageView, SentMessage } from './message.schemas.js';
import { utc, VIEW } from './message-view.js';
import { POSITION_TIME, type SentPosition } from './sent-cursor.js';

export interface ListPage {
  readonly messages: readonly MessageView[];
  /** The id that the next page goes on after; null when there is none. */
  readonly next: number | null;
}

export interface SentPage {
  readonly messages: readonly SentMessage[];
  /** Where the next page goes on; null when there is none. */
  readonly next: SentPosition | null;
}

/** How many messages one call looks at to find those of a state that no index tells apart. */
export const LOOK_MAX = 10_000;

/** Lists messages. No list costs more than its page or `LOOK_MAX` messages, however many there are of whatever kind. */
@Injectable()
export class MessageLists {
  constructor(private readonly database: ApiDatabase) {}

  /**
   * Up to `limit` messages with an id above `afterId`, in the order of their ids, of one state or of all. A page of
   * `waiting`, `sending` or `sent` may be short, or empty, although there is a next one.
   */
  async list(state: MessageState | null, afterId: number, limit: number): Promise<ListPage> {
    const rows = await this.database.query<LookedAt>(LIST[state ?? 'any'], [afterId, limit + 1]);
    const messages = rows.filter((row) => row.listed).slice(0, limit);
    const last = rows.length > limit ? messages.at(-1) : rows.find(({ position }) => position === LOOK_MAX);
    return { messages: messages.map(toView), next: last?.id ?? null };
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

/** A row of a list; `listed` is false for the last one that was looked at, when it is of another state. */
type LookedAt = MessageView & { readonly listed: boolean; readonly position: number | null };

function toView({ listed: _listed, position: _position, ...message }: LookedAt): MessageView {
  return message;
}

/** An id that JavaScript does not hold exactly would be shown, and gone on after, as another one. */
const AFTER = `id > $1::bigint AND id <= ${HIGHEST_ID}`;
const UNPARKED = 'sent_status = FALSE AND parked_as IS NULL';
const SENDABLE = `${UNPARKED} AND next_attempt_at IS NULL`;
const PAUSING = `${UNPARKED} AND next_attempt_at IS NOT NULL`;

/** What is listed is all that an index of its own holds, in its order. `$1` the id to go on after, `$2` the limit. */
const listOf = (name: string, condition: string): Statement => ({
  name: `messages.list-${name}`,
  text: `
    SELECT ${VIEW}, TRUE AS listed, NULL AS position FROM messages WHERE ${condition} AND ${AFTER} ORDER BY id LIMIT $2`,
});

/** The first `LOOK_MAX` rows of a partial index, or of the primary key, after `$1`. */
const after = (condition: string) =>
  `(SELECT * FROM messages WHERE ${condition} AND ${AFTER} ORDER BY id LIMIT ${LOOK_MAX})`;

/**
 * What is listed is found by looking at the rows of `from` one by one, `LOOK_MAX` at most; the last of so many is told as well,
 * listed or not, so that the next call goes on after it. Each level says its order, so that the planner merges and stops at
 * the limit rather than sorts.
 */
const lookFor = (name: string, listed: string, from: string): Statement => ({
  name: `messages.list-${name}`,
  text: `
    SELECT ${VIEW}, (${listed}) AS listed, position
    FROM (
      SELECT *, row_number() OVER (ORDER BY id) AS position
      FROM (SELECT * FROM (${from}) candidate ORDER BY id LIMIT ${LOOK_MAX}) looked
    ) numbered
    WHERE (${listed}) OR position = ${LOOK_MAX}
    ORDER BY id LIMIT $2`,
});

/** Merged from two partial indexes: parked messages, of which there may be any number, are in neither. */
const merged = (fresh: string, retries: string) => `${after(fresh)} UNION ALL ${after(retries)}`;

/** No fresh message above it is claimed: the newest jobs have claimed what was newest. Retries are claimed by their time. */
const CLAIMED_TO = `
  (SELECT max(claimed_to) FROM (SELECT claimed_to FROM dispatch_jobs ORDER BY id DESC LIMIT 1000) newest)`;

export const LIST: Readonly<Record<MessageState | 'any', Statement>> = {
  any: listOf('any', 'TRUE'),
  sent: lookFor('sent', 'sent_status', after('TRUE')),
  waiting: lookFor('waiting', 'claimed_by IS NULL', merged(SENDABLE, PAUSING)),
  sending: lookFor('sending', 'claimed_by IS NOT NULL', merged(`${SENDABLE} AND id <= ${CLAIMED_TO}`, PAUSING)),
  failed: listOf('failed', `parked_as = 'failed' AND sent_status = FALSE`),
  uncertain: listOf('uncertain', `parked_as = 'uncertain' AND sent_status = FALSE`),
  cancelled: listOf('cancelled', `parked_as = 'cancelled' AND sent_status = FALSE`),
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
      ${POSITION_TIME} AS position
    FROM messages
    WHERE sent_status = TRUE AND (coalesce(sent_at, '-infinity'::timestamp), id) < ($1::timestamp, $2::bigint)
      AND id >= ${LOWEST_ID} AND id <= ${HIGHEST_ID}
    ORDER BY coalesce(sent_at, '-infinity'::timestamp) DESC, id DESC
    LIMIT $3`,
};
