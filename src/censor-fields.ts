/** What never goes into a log, by the names under which it travels. */
export const SECRET_KEYS: ReadonlySet<string> = new Set([
  'authorization',
  'x-ins-auth-key',
  'x-api-key',
  'cookie',
  'set-cookie',
  'password',
  'webhookAuthKey',
  'webhook_auth_key',
  'webhookSigningSecrets',
  'webhook_signing_secrets',
  'webhook-signature',
  'recipientPhone',
  'recipient_phone',
  'content',
]);

export const CENSORED = '[redacted]';

/** As in `req.headers.cookie`. */
const LEVELS_BELOW = 2;

/**
 * The fields of a log line with secrets replaced, at the top and up to two levels below.
 * pino's `redact` would go through every path with a wildcard for every field of every line, numbers included, which takes
 * six times as long as the rest of the line; most lines hold no object at all.
 */
export function censorFields(fields: object, levelsBelow = LEVELS_BELOW): Record<string, unknown> {
  const censored: Record<string, unknown> = {};
  const entries: [string, unknown][] = Object.entries(fields);
  for (const [key, value] of entries) {
    censored[key] = SECRET_KEYS.has(key) ? CENSORED : levelsBelow > 0 ? below(value, levelsBelow - 1) : value;
  }
  return censored;
}

function below(value: unknown, levelsBelow: number): unknown {
  if (Array.isArray(value))
    return value.map((item: unknown) => (levelsBelow > 0 ? below(item, levelsBelow - 1) : item));
  return isFields(value) ? censorFields(value, levelsBelow) : value;
}

/** Dates, URLs and buffers say themselves how they are written. */
function isFields(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !('toJSON' in value);
}
