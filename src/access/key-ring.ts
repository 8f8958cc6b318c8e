import { hash, timingSafeEqual } from 'node:crypto';
import type { ApiKey } from '../config/api-keys.js';

/**
 * The keys in force. SHA-256 without salt or stretching is enough: a key is 256 random bits, and a hash of it cannot be
 * turned round by trying, however fast; a slow hash would let anybody who calls without a key spend the service's time.
 */
export class KeyRing {
  private keys: readonly ApiKey[] = [];

  constructor(keys: readonly ApiKey[]) {
    this.replace(keys);
  }

  /** From now on these keys are in force, and no others. */
  replace(keys: readonly ApiKey[]): void {
    this.keys = [...keys];
  }

  /** Whose key this is. Compares with every key in constant time, so that the time tells neither which nor how nearly. */
  find(key: string): ApiKey | null {
    const digest = hash('sha256', key, 'buffer');
    let found: ApiKey | null = null;
    for (const candidate of this.keys) if (timingSafeEqual(candidate.digest, digest)) found = candidate;
    return found;
  }

  /** Names and scopes, for the log. */
  describe(): string {
    return this.keys.map(({ name, scopes }) => `${name} (${[...scopes].join(', ')})`).join(', ');
  }
}
