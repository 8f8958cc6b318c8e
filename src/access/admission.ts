import { refuse } from '../error-mapping.js';
import type { HttpErrorReply } from '../error-reply.js';
import type { ApiKey } from '../config/api-keys.js';
import type { Scope } from '../required-scope.js';
import type { KeyRing } from './key-ring.js';

/** What came with a request: the key that it showed, if any, and whose that is. */
export interface Credentials {
  readonly shown: boolean;
  /** Whether it came as `Bearer <key>`. */
  readonly isBearer: boolean;
  readonly key: ApiKey | null;
}

const BEARER = /^Bearer +([\w.~+/-]+=*) *$/i;
const CHALLENGE = 'Bearer realm="message-dispatcher"';

const KEY_REQUIRED = refuse(401, 'auth.key_required', 'This call needs a key, sent as Authorization: Bearer <key>', {
  'www-authenticate': CHALLENGE,
});
const UNKNOWN_KEY = refuse(401, 'auth.unknown_key', 'The key is unknown or no longer valid', {
  'www-authenticate': `${CHALLENGE}, error="invalid_token"`,
});
const NOT_BEARER = refuse(
  401,
  'auth.unknown_key',
  'The header must be Authorization: Bearer <key>, with the word Bearer',
  {
    'www-authenticate': `${CHALLENGE}, error="invalid_request"`,
  },
);
const CLOSED = refuse(403, 'auth.closed', 'No key may make this call');

/** Reads the `Authorization` header. */
export function credentialsOf(header: string | undefined, ring: KeyRing): Credentials {
  if (header === undefined) return { shown: false, isBearer: false, key: null };
  const key = BEARER.exec(header)?.[1];
  return { shown: true, isBearer: key !== undefined, key: key === undefined ? null : ring.find(key) };
}

/** Why who shows these credentials may not call what needs `scope`; null: may. What declares no scope is closed to all. */
export function refusalOf(
  scope: Scope | 'public' | undefined,
  { shown, isBearer, key }: Credentials,
): HttpErrorReply | null {
  if (scope === 'public') return null;
  if (scope === undefined) return CLOSED;
  if (key === null) return isBearer ? UNKNOWN_KEY : shown ? NOT_BEARER : KEY_REQUIRED;
  if (key.scopes.has(scope)) return null;
  return refuse(403, 'auth.scope', `The key ${key.name} does not have the scope ${scope}, which this call needs`, {
    'www-authenticate': `${CHALLENGE}, error="insufficient_scope", scope="${scope}"`,
  });
}
