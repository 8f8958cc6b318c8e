/** What went wrong, in terms that the HTTP layer turns into a status and that no feature needs to know more of. */
export type DomainErrorKind =
  'malformed' | 'invalid' | 'too_large' | 'not_found' | 'conflict' | 'unavailable' | 'unconfirmed';

/**
 * A refusal that a caller can act on. `code` is stable and meant for programs, the message for people;
 * `details` are further fields of the reply. None of them ever holds SQL, a DSN or a secret.
 */
export abstract class DomainError extends Error {
  abstract readonly code: string;
  abstract readonly kind: DomainErrorKind;
  readonly details?: Readonly<Record<string, unknown>>;
}
