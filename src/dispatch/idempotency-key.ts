/**
 * The key that every attempt at one message carries. Ids start at 1 again in a database that was made anew; the
 * installation's random id keeps a provider that remembers the old `1` from swallowing the new one.
 */
export function idempotencyKey(installationId: string, messageId: number): string {
  return `${installationId}-${messageId}`;
}
