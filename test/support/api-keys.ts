import { hash } from 'node:crypto';

/** Headers that show this key. */
export function bearer(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}` };
}

/** The entry of APP_API_KEYS for a key. */
export function entryOf(name: string, scopes: string, key: string): string {
  return `${name}:${scopes}:${hash('sha256', key)}`;
}
