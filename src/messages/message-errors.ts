import { DomainError } from '../domain-error.js';
import { KEPT_AS_IT_WAS } from './claim-conditions.js';
import type { ItemResult } from './message.schemas.js';
import type { ReplayResult } from './operation.schemas.js';

export class MessageNotFound extends DomainError {
  readonly code = 'messages.not_found';
  readonly kind = 'not_found';

  constructor(id: number) {
    super(`No message has the id ${id}`);
  }
}

/** What was asked does not fit the state that the message is in. */
export class MessageStateConflict extends DomainError {
  readonly code: string;
  readonly kind = 'conflict';

  constructor(id: number, state: string, asked: string) {
    super(
      state === 'sending'
        ? `Message ${id} is being sent at this moment and cannot be ${asked}: ask again when its attempt has ended`
        : `Message ${id} is ${state} and cannot be ${asked}`,
    );
    this.code = state === 'sent' ? 'messages.already_sent' : `messages.${state}`;
  }
}

/** PostgreSQL reported that the message was changed, and its row does not say so; the change was taken back. */
export class MessageKeptAsItWas extends DomainError {
  readonly code = 'messages.kept_as_it_was';
  readonly kind = 'invalid';

  constructor(id: number, asked: string) {
    super(
      `Message ${id} was not ${asked}: PostgreSQL wrote it, and ${KEPT_AS_IT_WAS}. Nothing was changed; look at the triggers ` +
        'and policies of the table messages',
    );
  }
}

/** Each replay keeps a connection busy. */
export class ReplayBusy extends DomainError {
  readonly code = 'messages.replay_busy';
  readonly kind = 'unavailable';

  constructor(atOnce: number) {
    super(`${atOnce} replays are under way here already: try again when one has ended`);
  }
}

/** A replay that cannot go on after it has sent some messages again, which it counted in its note. */
export class ReplayBrokenOff extends DomainError {
  readonly code = 'database.unavailable';
  readonly kind = 'unavailable';
  override readonly details: Omit<ReplayResult, 'dry_run' | 'complete'>;

  constructor(done: Omit<ReplayResult, 'dry_run' | 'complete'>, cause: unknown) {
    super(
      `PostgreSQL is unreachable or refused to go on, and ${done.count} messages or more were put back before: repeat the call, ` +
        'which continues with the rest',
    );
    this.details = done;
    this.cause = cause;
  }
}

/** A list with items that cannot be messages; `details.results` has a result per item. */
export class MessagesInvalid extends DomainError {
  readonly code = 'messages.invalid';
  readonly kind = 'malformed';
  override readonly details: { readonly results: readonly ItemResult[]; readonly errors_left_out?: number };

  /** `leftOut`: how many errors of the items are not in `results`. */
  constructor(results: readonly ItemResult[], leftOut = 0) {
    const invalid = results.filter((result) => result.status === 'invalid').length;
    super(`${invalid} of ${results.length} messages ${invalid === 1 ? 'is' : 'are'} invalid, so none was stored`);
    this.details = { results, ...(leftOut > 0 && { errors_left_out: leftOut }) };
  }
}

/** PostgreSQL reported no error and has not stored a row that it was given. */
export class MessagesKeptOut extends DomainError {
  readonly code = 'messages.kept_out';
  readonly kind = 'invalid';

  /** `interceptors`: the triggers and rules of the table that can do that. */
  constructor(interceptors: readonly string[], cause?: unknown) {
    super(
      'The database kept a row out of the table messages without an error, so nothing was stored. ' +
        (interceptors.length === 0
          ? 'Look for a trigger that returns NULL, a rule, or row-level security'
          : `This may be the work of ${interceptors.join(', ')}: an INSERT has to give back the row that it stored`),
    );
    this.cause = cause;
  }
}

/** The same Idempotency-Key with another body. */
export class IntakeKeyReused extends DomainError {
  readonly code = 'messages.idempotency_key_reused';
  readonly kind = 'invalid';

  constructor() {
    super('This Idempotency-Key came with another body before: give each request a key of its own');
  }
}

/** The first request with this Idempotency-Key has not been answered yet. */
export class IntakeKeyInUse extends DomainError {
  readonly code = 'messages.idempotency_key_in_use';
  readonly kind = 'conflict';

  constructor() {
    super('A request with this Idempotency-Key is under way: try again when it has been answered');
  }
}
