import { z } from 'zod';
import { SCOPES, type Scope } from '../required-scope.js';
import type { TextSchema } from './static-values.js';

/** A key as the service knows it: whose it is, what it may do, and its hash; never the key itself. */
export interface ApiKey {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** SHA-256 of the key. */
  readonly digest: Buffer;
}

// Shorter than a key, so that a key in the place of a name is refused, not logged.
const NAME = /^[a-z0-9][a-z0-9._-]{0,31}$/i;
const DIGEST = /^[0-9a-f]{64}$/i;
// Each request is compared with every key.
const MAX_KEYS = 100;

const WANTED = 'must be name:scopes:hash, such as ci:send:9f86…, as "npm run make-key" prints it';

/**
 * `name:scopes:hash` entries, separated by commas, blanks or lines; scopes joined by `+`; `#` begins a comment.
 * One name may have several keys, so that a new one can be in use before the old one goes. What is wrong is told by the
 * number of the entry alone: somebody may have put a key where its hash belongs.
 */
export const apiKeys: TextSchema<readonly ApiKey[]> = z.string().transform((text, context) => {
  const entries = text
    .replaceAll(/#.*$/gm, '')
    .split(/[\s,]+/)
    .filter(Boolean);
  const read = entries.map(readEntry);
  const keys = read.filter((entry) => typeof entry !== 'string');
  const [wrong] = read.flatMap((entry, index) => (typeof entry === 'string' ? [`entry ${index + 1} ${entry}`] : []));
  const fault = wrong ?? faultOf(keys);
  if (fault === null) return Object.freeze(keys);
  context.addIssue({ code: 'custom', message: `is a list of keys, and ${fault}` });
  return z.NEVER;
});

/** What is wrong with all keys together, or null. */
export function faultOf(keys: readonly ApiKey[]): string | null {
  if (keys.length > MAX_KEYS) return `may hold ${MAX_KEYS} of them at most`;
  const twice = keys.find((key, index) => keys.findIndex(({ digest }) => digest.equals(key.digest)) !== index);
  return twice === undefined ? null : `holds one key twice (${twice.name})`;
}

function readEntry(entry: string): ApiKey | string {
  const [name = '', scopeList = '', digest = '', ...rest] = entry.split(':');
  const scopes = scopeList.split('+');
  if (!NAME.test(name) || !DIGEST.test(digest) || rest.length > 0) return WANTED;
  if (!scopes.every(isScope)) return `must name its scopes (${SCOPES.join(', ')}), joined by +`;
  return Object.freeze({ name, scopes: new Set(scopes), digest: Buffer.from(digest, 'hex') });
}

function isScope(text: string): text is Scope {
  return SCOPES.some((scope) => scope === text);
}
