import type { ClaimedMessage } from '../messages/message-claims.js';

/**
 * What waited longer than this may have been marked by hand since it was claimed. At full speed a message waits some 10 ms;
 * where a slow receiver makes it more, the claims are taken anew twice a second at most.
 */
const FRESH_MS = 500;

/** Claimed messages that wait for their turn, oldest first. */
export class ClaimedQueue {
  private waiting: { readonly message: ClaimedMessage; readonly claimedAt: number }[] = [];
  private next = 0;
  private takenInAll = 0;

  get size(): number {
    return this.waiting.length - this.next;
  }

  /** How many were taken out, ever. */
  get taken(): number {
    return this.takenInAll;
  }

  get ids(): number[] {
    return this.waiting.slice(this.next).map(({ message }) => message.id);
  }

  /** Whether the first was claimed so long ago that its claim must be taken anew; what was just added is not stale. */
  get stale(): boolean {
    const first = this.waiting[this.next];
    return first !== undefined && performance.now() - first.claimedAt > FRESH_MS;
  }

  add(messages: readonly ClaimedMessage[]): void {
    const claimedAt = performance.now();
    this.waiting = [...this.waiting.slice(this.next), ...messages.map((message) => ({ message, claimedAt }))];
    this.next = 0;
  }

  /** Takes the first one out; undefined when there is none. */
  take(): ClaimedMessage | undefined {
    const first = this.waiting[this.next];
    if (first === undefined) return undefined;
    this.next += 1;
    this.takenInAll += 1;
    return first.message;
  }

  clear(): void {
    this.waiting = [];
    this.next = 0;
  }
}
