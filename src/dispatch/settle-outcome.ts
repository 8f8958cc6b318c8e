import type { ClaimedMessage } from '../messages/message-claims.js';
import type { AttemptRecord, Settlement } from '../messages/message-settlements.js';
import type { Delivery } from './delivery.js';
import { retryDelayMs, type RetrySettings } from './retry-policy.js';

export interface SettleRules extends RetrySettings {
  readonly onUncertain: 'resend' | 'hold';
}

/** One request that is over. Times are milliseconds, `knownAt` by `performance.now()`. */
export interface Attempt {
  readonly delivery: Delivery;
  readonly durationMs: number | null;
  readonly knownAt: number;
  readonly responseExcerpt: string | null;
}

/** What an attempt's outcome means for its message. Pure: `random` in [0, 1) spreads the retries. */
export function settleOutcome(
  message: ClaimedMessage,
  attempt: Attempt,
  rules: SettleRules,
  random: number,
): Settlement {
  const { delivery } = attempt;
  const number = message.attempts + 1;
  if (delivery.outcome === 'accepted') {
    // Written out, not spread: this is made for every message.
    return {
      id: message.id,
      state: 'sent',
      knownAt: attempt.knownAt,
      charged: true,
      delayMs: null,
      reason: null,
      messageId: delivery.messageId,
      attempt: record(number, attempt),
    };
  }
  const common = { id: message.id, knownAt: attempt.knownAt, messageId: null, attempt: record(number, attempt) };
  const waiting = (charged: boolean, delayMs: number | null): Settlement => ({
    ...common,
    state: 'waiting',
    charged,
    delayMs,
    reason: null,
  });
  const parked = (state: 'failed' | 'uncertain', reason: string): Settlement => ({
    ...common,
    state,
    charged: true,
    delayMs: null,
    reason,
  });

  switch (delivery.outcome) {
    case 'refused':
      return parked('failed', `the receiver refused the message: ${delivery.error}`);
    case 'channel':
      return waiting(false, null);
    case 'unavailable': {
      const delayMs = retryDelayMs(number, rules, delivery.retryAfterMs, random);
      return delayMs === null
        ? parked('failed', `given up after ${number} attempts: ${delivery.error}`)
        : waiting(true, delayMs);
    }
    case 'uncertain': {
      if (rules.onUncertain === 'hold') return parked('uncertain', delivery.error);
      const delayMs = retryDelayMs(number, rules, null, random);
      return delayMs === null
        ? parked('uncertain', `given up after ${number} attempts: ${delivery.error}`)
        : waiting(true, delayMs);
    }
  }
}

function record(number: number, { delivery, durationMs, responseExcerpt }: Attempt): AttemptRecord {
  return {
    number,
    durationMs: durationMs === null ? null : Math.round(durationMs),
    httpStatus: delivery.status,
    outcome: delivery.outcome,
    error: delivery.outcome === 'accepted' ? null : delivery.error,
    responseExcerpt,
  };
}

/** A message that cannot be sent as it stands; no request is made for it. */
export function settleInvalid(message: ClaimedMessage, fault: string, knownAt: number): Settlement {
  return {
    id: message.id,
    state: 'failed',
    knownAt,
    charged: false,
    delayMs: null,
    reason: fault,
    messageId: null,
    attempt: null,
  };
}
