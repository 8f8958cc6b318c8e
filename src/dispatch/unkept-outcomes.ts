import type { ClaimKey } from '../messages/message-claims.js';
import type { KeptFor } from '../messages/unwritten-outcomes.js';

/** No job begins while so many outcomes are in memory alone. */
const FULL = 100;

interface Unkept {
  readonly job: ClaimKey;
  readonly entry: KeptFor;
}

/**
 * Outcomes that PostgreSQL takes neither in `messages` nor in `unwritten_outcomes`. They are in the memory of this process alone,
 * and in Redis as receipts. Their messages stay claimed.
 */
export class UnkeptOutcomes {
  private readonly byMessage = new Map<number, Unkept>();
  private reason = '';

  get size(): number {
    return this.byMessage.size;
  }

  /** Whether further requests would only add to them. */
  get isFull(): boolean {
    return this.size >= FULL;
  }

  /** For people; null when there are none. */
  get trouble(): string | null {
    if (this.size === 0) return null;
    return `${this.size} outcomes can be written neither to messages nor to unwritten_outcomes: ${this.reason}; this process has them in memory alone`;
  }

  add(job: ClaimKey, entries: readonly KeptFor[], reason: string): void {
    for (const entry of entries) this.byMessage.set(entry.settlement.id, { job, entry });
    this.reason = reason;
  }

  /** Takes them all out, in groups of one owner of one job. */
  takeAll(): { readonly job: ClaimKey; readonly entries: KeptFor[] }[] {
    const groups = new Map<string, { job: ClaimKey; entries: KeptFor[] }>();
    for (const { job, entry } of this.byMessage.values()) {
      const key = `${job.id}:${job.fence}`;
      const group = groups.get(key) ?? { job, entries: [] };
      group.entries.push(entry);
      groups.set(key, group);
    }
    this.byMessage.clear();
    return [...groups.values()];
  }
}
