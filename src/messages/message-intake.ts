import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { z } from 'zod';
import type { Caller } from '../caller.js';
import { wordsOf } from '../refusal-words.js';
import { shownName } from '../request-validation.js';
import { IntakeKeys, type Answer } from './intake-keys.js';
import { MessagesInvalid, MessagesKeptOut } from './message-errors.js';
import { newMessageSchema, type ItemResult } from './message.schemas.js';
import { MessagesRepository, wasKeptOut, type NewMessage } from './messages.repository.js';

/** What `POST /messages` takes: a message, or a list whose items are not checked yet. */
export type PostBody = NewMessage | readonly unknown[];

type Issue = z.core.$ZodIssue;

const CREATED = 201;
/** How many errors a reply lists, over all items; the rest is counted. */
const MAX_ERRORS = 100;

/** Takes new messages in. A request is stored as a whole or not at all. */
@Injectable()
export class MessageIntake {
  constructor(
    private readonly messages: MessagesRepository,
    private readonly keys: IntakeKeys,
    private readonly dataSource: DataSource,
  ) {}

  /**
   * Stores the request, once for each `key` of a caller when there is one; the answer to a key is always the first.
   * @throws MessagesInvalid when an item cannot be a message, MessagesKeptOut when the database keeps a row out without an
   * error; nothing is stored then.
   */
  async take(body: PostBody, key: string | null, caller: Caller | null): Promise<Answer> {
    // Before the key: what is not a message may be nested too deeply to be compared.
    const messages = isList(body) ? allValid(body) : body;
    const store = async (manager: EntityManager) => ({
      status: CREATED,
      body: isList(messages)
        ? await this.storeAll(messages, manager)
        : await this.messages.insertOne(messages, manager),
    });
    try {
      if (key !== null) return await this.keys.once(caller?.name ?? '', key, body, store);
      const answer = await store(this.dataSource.manager);
      return { status: answer.status, body: JSON.stringify(answer.body), replayed: false };
    } catch (error) {
      if (!wasKeptOut(error)) throw error;
      throw new MessagesKeptOut(await this.messages.interceptors(), error);
    }
  }

  private async storeAll(rows: readonly NewMessage[], manager: EntityManager): Promise<{ results: ItemResult[] }> {
    const ids = await this.messages.insert(rows, manager);
    return { results: ids.map((id, index) => ({ index, status: 'accepted', id })) };
  }
}

function isList<T>(body: NewMessage | readonly T[]): body is readonly T[] {
  return Array.isArray(body);
}

function allValid(items: readonly unknown[]): NewMessage[] {
  const checked = items.map((item) => newMessageSchema.safeParse(item));
  if (checked.some((result) => !result.success)) throw invalid(checked);
  return checked.flatMap((result) => (result.success ? [result.data] : []));
}

type Checked = ReturnType<typeof newMessageSchema.safeParse>;

/** Tells of each item what became of it, and of all items together the first errors. */
function invalid(checked: readonly Checked[]): MessagesInvalid {
  let listed = 0;
  let leftOut = 0;
  const results = checked.map((result, index): ItemResult => {
    if (result.success) return { index, status: 'not_stored' };
    const errors = errorsOf(result.error.issues);
    const shown = errors.slice(0, MAX_ERRORS - listed);
    listed += shown.length;
    leftOut += errors.length - shown.length;
    return { index, status: 'invalid', ...(shown.length > 0 && { errors: shown }) };
  });
  return new MessagesInvalid(results, leftOut);
}

function errorsOf(issues: readonly Issue[]): { field: string; error: string }[] {
  return issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ field: shownName(key), error: 'is not a field of a message' }))
      : [{ field: issue.path.join('.'), error: wordsOf(issue) }],
  );
}
