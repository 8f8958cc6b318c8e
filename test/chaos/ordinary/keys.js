import { createHash } from 'node:crypto';

// Of a fleet that lives for minutes on this machine alone.
const NAMES = /** @type {const} */ (['client', 'operator', 'probe']);

/** @typedef {(typeof NAMES)[number]} Caller Each has a limit of calls of its own. */

/** @param {Caller} name */
const keyOf = (name) => `mdk_chaos-${name}`.padEnd(47, 'x');

/** @param {Caller} name */
export const bearer = (name) => ({ authorization: `Bearer ${keyOf(name)}` });

/** APP_API_KEYS of the fleet. */
export const API_KEYS = NAMES.map(
  (name) => `${name}:read+send+operate:${createHash('sha256').update(keyOf(name)).digest('hex')}`,
).join(',');
