import { textSchema } from './static-values.js';

const PREFIX = 'whsec_';
// The bounds of the Standard Webhooks specification.
const MIN_BYTES = 24;
const MAX_BYTES = 64;
const MAX_SECRETS = 8;

/** `whsec_…,whsec_…` or a JSON list of the same; empty text means that nothing is signed. */
export const signingSecrets = textSchema<readonly string[] | null>(
  `must be a list of 1 to ${MAX_SECRETS} secrets, each ${PREFIX} and the base64 of ${MIN_BYTES} to ${MAX_BYTES} bytes`,
  (text) => {
    if (/^(\[\s*\])?$/.test(text)) return null;
    const bare = /^\[.*\]$/s.test(text) ? text.slice(1, -1) : text;
    const secrets = bare.split(',').map((item) => item.trim().replace(/^"(.*)"$/, '$1'));
    return secrets.length <= MAX_SECRETS && secrets.every(isSecret) ? Object.freeze(secrets) : undefined;
  },
);

/** The key that a valid secret stands for. */
export function signingKey(secret: string): Buffer {
  return Buffer.from(secret.slice(PREFIX.length), 'base64');
}

function isSecret(text: string): boolean {
  if (!text.startsWith(PREFIX)) return false;
  const key = signingKey(text);
  // Node skips what is not base64; others may not, and would then verify with another key.
  const isExact = key.toString('base64').replace(/=+$/, '') === text.slice(PREFIX.length).replace(/={1,2}$/, '');
  return isExact && key.length >= MIN_BYTES && key.length <= MAX_BYTES;
}
