import { Injectable } from '@nestjs/common';
import type { Actor } from './caller.js';
import { ApiDatabase, type Statement } from './database.js';

export interface OperatorAction {
  readonly id: number;
  readonly at: string;
  readonly actor: string;
  readonly on_behalf_of: string | null;
  readonly action: string;
  readonly reason: string | null;
  readonly message_id: number | null;
  readonly detail: Readonly<Record<string, unknown>> | null;
}

/**
 * What operators did, newest first, and never changed. Whatever is itself a change in PostgreSQL notes itself in the
 * statement that makes it; `note` is for what happens elsewhere.
 */
@Injectable()
export class OperatorActions {
  constructor(private readonly database: ApiDatabase) {}

  async note(actor: Actor, action: string, detail: Readonly<Record<string, unknown>>): Promise<void> {
    await this.database.query(NOTE, [actor.by, actor.onBehalfOf, action, actor.reason, JSON.stringify(detail)]);
  }

  /** Up to `limit` of them with an id below `before`. */
  async list(before: number, limit: number): Promise<OperatorAction[]> {
    return await this.database.query<OperatorAction & Record<string, unknown>>(LIST_ACTIONS, [before, limit]);
  }
}

const NOTE: Statement = {
  name: 'operator-actions.note',
  text: `
    INSERT INTO operator_actions (actor, on_behalf_of, action, reason, detail) VALUES ($1, $2, $3, $4, $5::jsonb)`,
};

export const LIST_ACTIONS: Statement = {
  name: 'operator-actions.list',
  text: `
    SELECT id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at, actor, on_behalf_of, action, reason,
      message_id, detail
    FROM operator_actions WHERE id < $1 ORDER BY id DESC LIMIT $2`,
};
