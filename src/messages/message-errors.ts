import { DomainError } from '../domain-error.js';
import type { ItemResult } from './message.schemas.js';

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

/** PostgreSQL was lost after some messages were sent again by a replay, which counted them in its note. */
export class ReplayBrokenOff extends DomainError {
  readonly code = 'database.unavailable';
  readonly kind = 'unavailable';

  constructor(count: number, cause: unknown) {
    super(
      `PostgreSQL is out of reach, and ${count} messages or more were put back before: repeat the call, which goes on ` +
        'with the rest',
    );
    this.cause = cause;
  }
}

/** A list with items that cannot be messages; `details.results` has a result per item. */
export class MessagesInvalid extends DomainError {
  readonly code = 'messages.invalid';
  readonly kind = 'malformed';
  override readonly details: { readonly results: readonly ItemResult[] };

  constructor(results: readonly ItemResult[]) {
    const invalid = results.filter((result) => result.status === 'invalid').length;
    super(`${invalid} of ${results.length} messages ${invalid === 1 ? 'is' : 'are'} invalid, so none was stored`);
    this.details = { results };
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
