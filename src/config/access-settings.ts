import { readFileSync } from 'node:fs';
import { apiKeys, faultOf, type ApiKey } from './api-keys.js';
import { codeOf } from '../described-error.js';
import type { StaticValues } from './static-keys.js';

/** The keys that callers need. */
export interface AccessSettings {
  /** APP_API_KEYS. */
  readonly keys: readonly ApiKey[];
  /** APP_API_KEYS_FILE, and what it held at the start; null without one. */
  readonly file: { readonly path: string; readonly keys: readonly ApiKey[] } | null;
}

/** Environments that are open until somebody sets keys; all others, whatever their names, are closed until then. */
const OPEN_ENVS: ReadonlySet<string> = new Set(['local', 'dev']);

/** Who may call; null lets everybody. What is wrong, or missing in this environment, is added to `faults`. */
export function readAccess(env: string, values: Partial<StaticValues>, faults: string[]): AccessSettings | null {
  const { auth = null, apiKeys: keys = null, apiKeysFile: path = null } = values;
  const given = [keys !== null && 'APP_API_KEYS', path !== null && 'APP_API_KEYS_FILE'].filter(
    (name) => name !== false,
  );
  if (auth === 'none') {
    if (given.length === 0) return null;
    faults.push(`APP_AUTH is none, and ${given.join(' and ')} would count for nothing: unset one or the other`);
    return null;
  }
  if (given.length === 0) {
    // A variable that is there and wrong is named already.
    const named = faults.some((fault) => fault.startsWith('APP_API_KEYS') || fault.startsWith('APP_AUTH'));
    if (!named && (auth === 'keys' || !OPEN_ENVS.has(env))) faults.push(missing(env, auth));
    return null;
  }
  const file = path === null ? null : fileOf(path, faults);
  const all = [...(keys ?? []), ...(file?.keys ?? [])];
  const fault = faultOf(all);
  if (fault !== null) faults.push(`${given.join(' and ')} together: the list ${fault}`);
  if (keys?.length === 0) faults.push('APP_API_KEYS holds no key');
  return Object.freeze({ keys: keys ?? [], file });
}

/**
 * The keys of a file; at least one.
 * @throws Error that says what is wrong, without what the file holds.
 */
export function readKeyFile(path: string): readonly ApiKey[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`${path} cannot be read (${codeOf(error) ?? String(error)})`, { cause: error });
  }
  const parsed = apiKeys.safeParse(text);
  if (!parsed.success) throw new Error(`${path} ${parsed.error.issues[0]?.message ?? 'is not valid'}`);
  if (parsed.data.length === 0) throw new Error(`${path} holds no key`);
  return parsed.data;
}

function fileOf(path: string, faults: string[]): AccessSettings['file'] {
  try {
    return Object.freeze({ path, keys: readKeyFile(path) });
  } catch (error) {
    faults.push(`APP_API_KEYS_FILE: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

function missing(env: string, auth: 'keys' | null): string {
  const reason = auth === 'keys' ? 'because APP_AUTH is keys' : `unless APP_ENV is local or dev (it is ${env})`;
  return (
    `APP_API_KEYS or APP_API_KEYS_FILE is required ${reason}: "npm run make-key" makes a key; ` +
    'APP_AUTH=none lets everybody in who reaches the port'
  );
}
