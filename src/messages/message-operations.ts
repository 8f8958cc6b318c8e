import { Injectable } from '@nestjs/common';
import type { Actor } from '../caller.js';
import { ApiDatabase, type Statement } from '../database.js';
import { idle } from './claim-conditions.js';
import { MessageKeptAsItWas, MessageNotFound, MessageStateConflict } from './message-errors.js';
import type { MessageState, MessageView } from './message.schemas.js';
import { OF_THIS_MESSAGE, VIEW } from './message-view.js';
import { FIND, MessagesRepository } from './messages.repository.js';

/**
 * What an operator decides about one message. Each act is one statement that changes the message only in a state that allows
 * it, notes the act with it and answers with the message; repeated, it changes and notes nothing. A message that is being sent
 * is left alone.
 */
@Injectable()
export class MessageOperations {
  constructor(
    private readonly database: ApiDatabase,
    private readonly messages: MessagesRepository,
  ) {}

  /** Sends a parked or pausing message again, in its turn, with all its attempts before it and under the same key. */
  async retry(id: number, actor: Actor): Promise<MessageView> {
    return await this.act(RETRY, id, actor, { isDone: goesOut, asked: 'sent again' });
  }

  /** Takes a message out of the queue for good, until it is retried. */
  async cancel(id: number, actor: Actor): Promise<MessageView> {
    return await this.act(CANCEL, id, actor, { isDone: isIn('cancelled'), asked: 'cancelled' });
  }

  /** Settles an uncertain message: it was delivered, or it was not and is sent again. */
  async resolve(id: number, delivered: boolean, actor: Actor): Promise<MessageView> {
    return delivered
      ? await this.act(RESOLVE_DELIVERED, id, actor, { isDone: isIn('sent'), asked: 'resolved' })
      : await this.act(RESOLVE_UNDELIVERED, id, actor, { isDone: isIn('waiting'), asked: 'resolved' });
  }

  private async act(
    statement: Statement,
    id: number,
    actor: Actor,
    goal: Goal,
    mayTryAgain = true,
  ): Promise<MessageView> {
    const values = [id, actor.by, actor.reason, actor.onBehalfOf];
    const changed = await this.change(statement, id, values, goal);
    if (changed !== undefined) return changed;
    const message = await this.messages.find(id);
    if (message === null) throw new MessageNotFound(id);
    if (goal.isDone(message)) return message;
    // Its attempt may have ended between the statement and this look at it.
    if (mayTryAgain) return await this.act(statement, id, actor, goal, false);
    throw new MessageStateConflict(id, message.state, goal.asked);
  }

  /**
   * In one statement, so that nothing after it can fail; where triggers or policies may keep the row as it was, in a transaction with a
   * second look at it.
   */
  private async change(
    statement: Statement,
    id: number,
    values: readonly unknown[],
    goal: Goal,
  ): Promise<MessageView | undefined> {
    const [table] = await this.database.query<{ mayKeepRows: boolean }>(MAY_KEEP_ROWS);
    if (table?.mayKeepRows !== true) return (await this.database.query<MessageView>(statement, values))[0];
    return await this.database.transaction(async (ask) => {
      const [row] = await ask<MessageView>(statement, values);
      if (row === undefined) return undefined;
      await ask(FIRE_DEFERRED);
      const [now] = await ask<MessageView>(FIND, [id]);
      if (now === undefined || !goal.isDone(now)) throw new MessageKeptAsItWas(id, goal.asked);
      return now;
    });
  }
}

/** What an act is to bring about. */
interface Goal {
  readonly isDone: (message: MessageView) => boolean;
  readonly asked: string;
}

const MAY_KEEP_ROWS: Statement = {
  name: 'messages.may-keep-rows',
  text: `SELECT relhastriggers OR relhassubclass OR relrowsecurity AS "mayKeepRows" FROM pg_class WHERE oid = 'messages'::regclass`,
};

const isIn = (state: MessageState) => (message: MessageView) => message.state === state;

/** One that waits for the time of its next attempt is waiting as well, and does not go out yet. */
const goesOut = (message: MessageView) => message.state === 'waiting' && message.next_attempt_at === null;

/** Has constraint triggers that wait for the end of the transaction run now. */
export const FIRE_DEFERRED: Statement = { name: 'messages.fire-deferred', text: 'SET CONSTRAINTS ALL IMMEDIATE' };

/** How a parked message goes back to the queue. A doubt stays: sending again does not tell what became of the first time. */
export const SEND_AGAIN = `attempts = 0, sit_outs = 0, next_attempt_at = NULL, parked_as = NULL, parked_reason = NULL, parked_at = NULL`;

/** `$1` message, `$2` who, `$3` why, `$4` for whom. */
const action = (name: string, change: string, condition: string): Statement => ({
  name: `messages.${name}`,
  text: `
    WITH changed AS (
      UPDATE messages SET ${change}, claimed_by = NULL, claim_fence = NULL
      WHERE id = $1::bigint AND sent_status = FALSE AND (claimed_by IS NULL OR (parked_as IS NOT NULL AND ${idle('messages')}))
        AND (${condition})
      RETURNING ${VIEW}
    ), noted AS (
      INSERT INTO operator_actions (actor, on_behalf_of, action, reason, message_id)
      SELECT $2, $4, '${name}', $3, id FROM changed
    )
    SELECT * FROM changed`,
});

const RETRY = action('retry', SEND_AGAIN, 'parked_as IS NOT NULL OR next_attempt_at IS NOT NULL');

const CANCEL = action(
  'cancel',
  `parked_as = 'cancelled', parked_reason = coalesce($3, 'cancelled by ' || $2), parked_at = clock_timestamp()`,
  `parked_as IS DISTINCT FROM 'cancelled'`,
);

const RESOLVE_DELIVERED = action(
  'resolve-delivered',
  `sent_status = TRUE, doubt = NULL, parked_as = NULL, parked_reason = NULL, parked_at = NULL,
   sent_at = coalesce(
     (SELECT started_at FROM delivery_attempts WHERE message_id = $1 AND ${OF_THIS_MESSAGE} ORDER BY id DESC LIMIT 1),
     clock_timestamp())
     AT TIME ZONE 'UTC'`,
  // One that was in doubt when it was cancelled may have been sent all the same.
  `parked_as = 'uncertain' OR (parked_as = 'cancelled' AND doubt IS NOT NULL)`,
);

const RESOLVE_UNDELIVERED = action('resolve-undelivered', `${SEND_AGAIN}, doubt = NULL`, `parked_as = 'uncertain'`);
