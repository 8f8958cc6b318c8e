import type { LiveConfig } from '../config/live-config.js';
import { liveKeyNamed } from '../config/live-keys.js';
import { FIELD_OF, LIMIT_KEYS, type LimitKey, type Limits } from './walk.js';

/** With which limits this replica may work, and why it does not work with all of them. */
export interface LimitsInForce {
  readonly limits: Limits;
  readonly notes: readonly string[];
}

/**
 * A limit counts only while this replica knows it and the fleet has agreed on the same: what is deleted on a guess, or by the
 * old file of one replica, is gone.
 */
export function limitsInForce(live: LiveConfig): LimitsInForce {
  const notes: string[] = [];
  const limitOf = (name: LimitKey): number => {
    const key = liveKeyNamed(name);
    const { unknown, difference } =
      key === undefined ? { unknown: 'no such key', difference: null } : live.describeKey(key);
    const value = live.current[FIELD_OF[name]];
    if (unknown !== null) notes.push(`${name} is unknown, so nothing goes by it: ${unknown}`);
    else if (difference !== null) notes.push(`Nothing goes by ${name}: ${difference}`);
    else return typeof value === 'number' ? value : 0;
    return 0;
  };
  const limits = {
    erase_after_days: limitOf('erase_after_days'),
    retain_sent_days: limitOf('retain_sent_days'),
    retain_parked_days: limitOf('retain_parked_days'),
    retain_attempts_days: limitOf('retain_attempts_days'),
    retain_actions_days: limitOf('retain_actions_days'),
  };
  return { limits, notes };
}

/** One line for the log: what goes, and that nothing else does. */
export function sentenceOf({ limits, notes }: LimitsInForce): string {
  const set = LIMIT_KEYS.filter((name) => limits[name] > 0).map((name) => `${name} is ${limits[name]}`);
  if (set.length + notes.length > 0) return `Retention: ${[...set, ...notes].join('; ')}`;
  return 'Retention: no message is ever deleted or erased (all limits are 0)';
}
