import { hash } from 'node:crypto';
import type { ClaimedMessage } from '../messages/message-claims.js';

/** Long enough that two messages of one id never share it by chance, short enough for a key of 64 characters at most. */
const HASH_CHARACTERS = 10;

/** What tells a message from others that have, had or will have its id. */
export type KeyedMessage = Pick<ClaimedMessage, 'recipientPhone' | 'content' | 'createdAt'>;

/**
 * A hash of what a message is: recipient, content and the time at which it was stored. Ids come back, in a table that was
 * truncated, restored from a backup or lost its last commits; another message then has another hash. It is the same for
 * every attempt, as long as the company does not change these columns.
 */
export function messageHash({ recipientPhone, content, createdAt }: KeyedMessage): string {
  // PostgreSQL stores no NUL character, so the parts cannot run into each other.
  return hash('sha256', `${recipientPhone}\0${content}\0${createdAt ?? ''}`).slice(0, HASH_CHARACTERS);
}

/**
 * The key that every attempt at one message carries. The installation's random id tells it from the messages of other
 * databases, whose ids all start at 1, and the hash from other messages of the same id in this one.
 */
export function idempotencyKey(installationId: string, ofMessage: string, messageId: number): string {
  return `${installationId}-${ofMessage}-${messageId}`;
}
