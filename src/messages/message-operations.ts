import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database.js';
import { MessageNotFound, MessageStateConflict } from './message-errors.js';
import type { MessageState, MessageView } from './message.schemas.js';
import { MessagesRepository } from './messages.repository.js';
import type { Replay, ReplayResult } from './operation.schemas.js';

/** Who acts on a message and why; kept in `operator_actions`. */
export interface Actor {
  readonly by: string;
  readonly reason: string | null;
}

/**
 * What an operator decides about messages. Each act is one statement that changes the message only in a state that allows
 * it and notes the act with it; repeated, it changes and notes nothing. A message that is being sent is left alone.
 */
@Injectable()
export class MessageOperations {
  constructor(
    private readonly database: Database,
    private readonly messages: MessagesRepository,
  ) {}

  /** Sends a parked or pausing message again, in its turn, with all its attempts before it and under the same key. */
  async retry(id: number, actor: Actor): Promise<MessageView> {
    return await this.act(RETRY, id, actor, { done: ['waiting'], asked: 'sent again' });
  }

  /** Takes a message out of the queue for good, until it is retried. */
  async cancel(id: number, actor: Actor): Promise<MessageView> {
    return await this.act(CANCEL, id, actor, { done: ['cancelled'], asked: 'cancelled' });
  }

  /** Settles an uncertain message: it was delivered, or it was not and is sent again. */
  async resolve(id: number, delivered: boolean, actor: Actor): Promise<MessageView> {
    return delivered
      ? await this.act(RESOLVE_DELIVERED, id, actor, { done: ['sent'], asked: 'resolved' })
      : await this.act(RESOLVE_UNDELIVERED, id, actor, { done: ['waiting'], asked: 'resolved' });
  }

  /** Sends every parked message that matches again; with `dry_run` only counts them. */
  async replay(filter: Replay, actor: Actor): Promise<ReplayResult> {
    const values = [
      filter.state,
      filter.parked_from ?? null,
      filter.parked_before ?? null,
      filter.reason_contains ?? null,
    ];
    const { dry_run, state, parked_from, parked_before, reason_contains } = filter;
    const [row] = dry_run
      ? await this.database.query<{ count: number }>(COUNT_REPLAY, values)
      : await this.database.query<{ count: number }>(REPLAY, [
          ...values,
          actor.by,
          actor.reason,
          JSON.stringify({ state, parked_from, parked_before, reason_contains }),
        ]);
    return { count: row?.count ?? 0, dry_run };
  }

  private async act(
    statement: Statement,
    id: number,
    actor: Actor,
    goal: { readonly done: readonly MessageState[]; readonly asked: string },
  ): Promise<MessageView> {
    const changed = await this.database.query(statement, [id, actor.by, actor.reason]);
    const found = await this.messages.find(id);
    if (found === null) throw new MessageNotFound(id);
    const { attempts: _attempts, ...message } = found;
    if (changed.length === 0 && !goal.done.includes(message.state)) {
      throw new MessageStateConflict(id, message.state, goal.asked);
    }
    return message;
  }
}

const SEND_AGAIN = `attempts = 0, next_attempt_at = NULL, parked_as = NULL, parked_reason = NULL, parked_at = NULL`;

/** `$1` message, `$2` who, `$3` why. */
const action = (name: string, change: string, condition: string): Statement => ({
  name: `messages.${name}`,
  text: `
    WITH changed AS (
      UPDATE messages SET ${change} WHERE id = $1 AND sent_status = FALSE AND claimed_by IS NULL AND (${condition})
      RETURNING id
    ), noted AS (
      INSERT INTO operator_actions (actor, action, reason, message_id) SELECT $2, '${name}', $3, id FROM changed
    )
    SELECT id FROM changed`,
});

const RETRY = action('retry', SEND_AGAIN, 'parked_as IS NOT NULL OR next_attempt_at IS NOT NULL');

const CANCEL = action(
  'cancel',
  `parked_as = 'cancelled', parked_reason = coalesce($3, 'cancelled by ' || $2), parked_at = clock_timestamp()`,
  `parked_as IS DISTINCT FROM 'cancelled'`,
);

const RESOLVE_DELIVERED = action(
  'resolve-delivered',
  `sent_status = TRUE, parked_as = NULL, parked_reason = NULL, parked_at = NULL,
   sent_at = coalesce((SELECT max(started_at) FROM delivery_attempts WHERE message_id = $1), clock_timestamp())
     AT TIME ZONE 'UTC'`,
  `parked_as = 'uncertain'`,
);

const RESOLVE_UNDELIVERED = action('resolve-undelivered', SEND_AGAIN, `parked_as = 'uncertain'`);

const MATCHING = `parked_as = $1 AND sent_status = FALSE
  AND ($2::timestamptz IS NULL OR parked_at >= $2::timestamptz)
  AND ($3::timestamptz IS NULL OR parked_at < $3::timestamptz)
  AND ($4::text IS NULL OR position($4 IN parked_reason) > 0)`;

const COUNT_REPLAY: Statement = {
  name: 'messages.count-replay',
  text: `SELECT count(*) AS count FROM messages WHERE ${MATCHING}`,
};

const REPLAY: Statement = {
  name: 'messages.replay',
  text: `
    WITH changed AS (
      UPDATE messages SET ${SEND_AGAIN} WHERE ${MATCHING} AND claimed_by IS NULL RETURNING id
    ), noted AS (
      INSERT INTO operator_actions (actor, action, reason, detail)
      SELECT $5, 'replay', $6, $7::jsonb || jsonb_build_object('count', (SELECT count(*) FROM changed))
      WHERE EXISTS (SELECT FROM changed)
    )
    SELECT count(*) AS count FROM changed`,
};
