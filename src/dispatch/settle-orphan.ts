import type { ClaimedMessage } from '../messages/message-claims.js';
import type { Settlement } from '../messages/message-settlements.js';
import type { Receipt } from './delivery-receipts.js';
import { messageHash } from './idempotency-key.js';

export interface OrphanRules {
  readonly maxAttempts: number;
  readonly onUncertain: 'resend' | 'hold';
}

/** One instant on two clocks, in milliseconds: since 1970, and by `performance.now()`. */
export interface Instant {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

const ERROR = 'the replica that was sending it went away';

/** What becomes of a message whose sender went away: sent if there is a receipt, else uncertain. Pure. */
export function settleOrphan(
  orphan: ClaimedMessage,
  receipt: Receipt | null,
  rules: OrphanRules,
  now: Instant,
): Settlement {
  const number = orphan.attempts + 1;
  if (receipt !== null) {
    return {
      id: orphan.id,
      state: 'sent',
      knownAt: now.monotonicMs - Math.max(0, now.wallMs - receipt.sentAtMs),
      charged: true,
      delayMs: null,
      reason: null,
      messageId: receipt.messageId,
      messageHash: receipt.messageHash,
      attempt: { number, durationMs: null, httpStatus: null, outcome: 'accepted', error: null, responseExcerpt: null },
    };
  }
  const resend = rules.onUncertain === 'resend' && number < rules.maxAttempts;
  return {
    id: orphan.id,
    state: resend ? 'waiting' : 'uncertain',
    knownAt: now.monotonicMs,
    charged: true,
    // It waited for the lease to run out already.
    delayMs: null,
    reason: resend ? null : ERROR,
    messageId: null,
    messageHash: messageHash(orphan),
    attempt: { number, durationMs: null, httpStatus: null, outcome: 'uncertain', error: ERROR, responseExcerpt: null },
  };
}
