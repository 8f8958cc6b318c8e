import type { ClaimedMessage } from '../messages/message-claims.js';
import type { AttemptRecord, Settlement } from '../messages/message-settlements.js';
import type { Delivery } from './delivery.js';
import { messageHash } from './idempotency-key.js';
import { retryDelayMs, sitOutMs, withJitter, type RetrySettings } from './retry-policy.js';

export interface SettleRules extends RetrySettings {
  readonly onUncertain: 'resend' | 'hold';
}

/** One request that is over. Times are milliseconds, `knownAt` by `performance.now()`. */
export interface Attempt {
  readonly delivery: Delivery;
  readonly durationMs: number | null;
  readonly knownAt: number;
  readonly responseExcerpt: string | null;
  readonly messageHash: string;
}

/** How other messages fared, by `ChannelWatch`, before this outcome. */
export interface OthersFare {
  /** Whether they fare badly as well. */
  readonly suspected: boolean;
  /** How long ago one was accepted. */
  readonly acceptedAgoMs: number;
  /** Whether other replicas' messages get through, while none of this one's does. */
  readonly acceptedElsewhere: boolean;
}

/** Of a message's attempts that are not charged, so many are written down, and so many with the receiver's words. */
const LOGGED_SIT_OUTS = 10;
const EXCERPTED_SIT_OUTS = 3;
/** So much of the receiver's words stands in the reason of what is parked. */
const QUOTED_CHARACTERS = 200;
/**
 * So many answers that a message is turned away with, such as a 503, are not charged where the way is to blame. Then they
 * are, so that no message is tried for ever.
 */
const TURNED_AWAY_MAX = 20;

/** A message that found no connection sits out so long, and twice as long each time. */
const UNCONNECTED_FIRST_MS = 500;
/** No longer than that, since a replica that stands back tries again so late. */
const UNCONNECTED_LONGEST_MS = 60_000;

/** What an attempt's outcome means for its message. Pure: `random` in [0, 1) spreads the retries. */
export function settleOutcome(
  message: ClaimedMessage,
  attempt: Attempt,
  rules: SettleRules,
  others: OthersFare,
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
      messageHash: attempt.messageHash,
      attempt: record(number, attempt),
    };
  }
  const common = { id: message.id, knownAt: attempt.knownAt, messageId: null, messageHash: attempt.messageHash };
  const charged = { ...common, charged: true, attempt: record(number, attempt) };
  const failed = (reason: string): Settlement => ({
    ...charged,
    ...failedUnlessInDoubt(message, `${reason}${quote(attempt)}`),
    delayMs: null,
  });
  const uncertain = (reason: string): Settlement => ({ ...charged, state: 'uncertain', delayMs: null, reason });
  const tryAgainIn = (delayMs: number): Settlement => ({ ...charged, state: 'waiting', delayMs, reason: null });

  const sittingOut = (delayMs: number): Settlement => ({
    ...common,
    state: 'waiting',
    charged: false,
    delayMs,
    reason: null,
    attempt: recordUncharged(number, attempt, message.sitOuts),
  });

  const giveUpOrRetry = (delayMs: number | null) =>
    delayMs === null ? failed(`given up after ${number} attempts: ${delivery.error}`) : tryAgainIn(delayMs);

  switch (delivery.outcome) {
    case 'refused':
      return failed(`the receiver refused the message: ${delivery.error}`);
    case 'channel':
      if (!isToBlame(message, delivery.status, rules, others)) {
        return sittingOut(sitOut(message, delivery.status, rules, others, random));
      }
      return giveUpOrRetry(retryDelayMs(number, rules, null, random));
    case 'unavailable':
      if (isOfWay(delivery.retryAfterMs, others) && message.sitOuts < TURNED_AWAY_MAX) {
        return sittingOut(Math.max(rules.schedulerIntervalMs, delivery.retryAfterMs ?? 0));
      }
      return giveUpOrRetry(retryDelayMs(number, rules, delivery.retryAfterMs, random));
    case 'uncertain': {
      if (rules.onUncertain === 'hold' || delivery.isUnreadable === true) return uncertain(delivery.error);
      const delayMs = retryDelayMs(number, rules, null, random);
      return delayMs === null ? uncertain(`given up after ${number} attempts: ${delivery.error}`) : tryAgainIn(delayMs);
    }
  }
}

/** Whether that it was turned away says nothing of the message. Who asks it to wait speaks for the receiver itself. */
function isOfWay(retryAfterMs: number | null, { suspected, acceptedElsewhere }: OthersFare): boolean {
  return acceptedElsewhere || (suspected && retryAfterMs === null);
}

/** Whether it has had such an answer before and others were accepted since: then it is not the way. */
function isToBlame(
  { sitOuts }: ClaimedMessage,
  status: number | null,
  rules: SettleRules,
  { suspected, acceptedAgoMs }: OthersFare,
): boolean {
  // It has been away for longer than that: it also waited for a slot.
  const awayMs = sitOutMs(sitOuts, rules) + rules.schedulerIntervalMs;
  return status !== null && sitOuts > 0 && !suspected && acceptedAgoMs < awayMs;
}

/**
 * Longer with each time; not where the way itself may be in trouble: that message is wanted when it is over. One that found no
 * connection is wanted in the next slot.
 */
function sitOut(
  { sitOuts }: ClaimedMessage,
  status: number | null,
  rules: SettleRules,
  { suspected }: OthersFare,
  random: number,
): number {
  if (status === null)
    return Math.min(UNCONNECTED_FIRST_MS * 2 ** sitOuts, rules.schedulerIntervalMs, UNCONNECTED_LONGEST_MS);
  return suspected ? rules.schedulerIntervalMs : withJitter(sitOutMs(sitOuts + 1, rules), random);
}

/** A message that cannot be sent as it stands; no request is made for it. */
export function settleInvalid(message: ClaimedMessage, fault: string, knownAt: number): Settlement {
  return {
    id: message.id,
    ...failedUnlessInDoubt(message, fault),
    knownAt,
    charged: false,
    delayMs: null,
    messageId: null,
    messageHash: messageHash(message),
    attempt: null,
  };
}

/** A message whose turn did not come: it waits again, and is back on its job's budget. */
export function settleReleased(message: ClaimedMessage): Settlement {
  return {
    id: message.id,
    state: 'waiting',
    knownAt: performance.now(),
    charged: false,
    delayMs: null,
    reason: null,
    messageId: null,
    messageHash: messageHash(message),
    attempt: null,
  };
}

/** What an earlier attempt may have sent is not called failed: nobody knows. */
function failedUnlessInDoubt({ doubt }: ClaimedMessage, reason: string): Pick<Settlement, 'state' | 'reason'> {
  if (doubt === null) return { state: 'failed', reason };
  return { state: 'uncertain', reason: `${reason}; an earlier attempt may have sent it: ${doubt}` };
}

function quote({ responseExcerpt }: Attempt): string {
  const words =
    responseExcerpt
      ?.slice(0, 2 * QUOTED_CHARACTERS)
      .replaceAll(/\s+/g, ' ')
      .trim() ?? '';
  return words === '' ? '' : `: ${words.slice(0, QUOTED_CHARACTERS).toWellFormed()}`;
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

/** Nothing bounds how many of these a message gets, so only the first ones are written down. */
function recordUncharged(number: number, attempt: Attempt, sitOuts: number): AttemptRecord {
  const full = record(number, attempt);
  if (sitOuts >= LOGGED_SIT_OUTS) return { ...full, error: null, responseExcerpt: null, unlogged: true };
  return sitOuts >= EXCERPTED_SIT_OUTS ? { ...full, responseExcerpt: null } : full;
}
