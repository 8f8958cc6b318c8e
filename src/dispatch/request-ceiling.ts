import { descriptorLimit } from '../descriptor-limit.js';

/** For the listening port and its clients, PostgreSQL, Redis, etcd and files. */
const OTHERS = 64;
const LOWERED_FOR_MS = 60_000;
const EXHAUSTED = /\b(EMFILE|ENFILE|EADDRNOTAVAIL)\b/;

/**
 * How many connections to the webhook this machine bears: what the limit of descriptors leaves, and, for a minute after a
 * connection could not be made for want of a descriptor or a port, as many as were open then.
 */
export class RequestCeiling {
  /** null where the system does not tell. */
  readonly byDescriptors: number | null;
  private lowered = Infinity;
  private loweredUntil = 0;

  constructor(descriptors = descriptorLimit()) {
    this.byDescriptors = descriptors === null ? null : Math.max(1, descriptors - OTHERS);
  }

  /** 1 at least. */
  get size(): number {
    // Asked several times for each message, and the clock is not free.
    if (this.lowered < Infinity && performance.now() >= this.loweredUntil) this.lowered = Infinity;
    return Math.min(this.byDescriptors ?? Infinity, this.lowered);
  }

  /** `open`: how many requests were in flight when there was room for no more. */
  lower(open: number): void {
    this.lowered = Math.max(1, open);
    this.loweredUntil = performance.now() + LOWERED_FOR_MS;
  }
}

/** Whether a connection could not be made because this machine has no room for it, which says nothing of the receiver. */
export function isOutOfRoom(error: string): boolean {
  return EXHAUSTED.test(error);
}
