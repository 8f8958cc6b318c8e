import { messageHash } from './idempotency-key.js';
import type { Delivery } from './delivery.js';
import { settleInvalid, settleOutcome, type Attempt, type OthersFare, type SettleRules } from './settle-outcome.js';

const message = {
  id: 7,
  recipientPhone: '+905551111111',
  content: 'hello',
  createdAt: null,
  attempts: 1,
  sitOuts: 0,
  doubt: null,
};
const rules: SettleRules = {
  maxAttempts: 3,
  retryScheduleMs: [10_000, 40_000],
  schedulerIntervalMs: 1_000,
  onUncertain: 'resend',
};
const hold: SettleRules = { ...rules, onUncertain: 'hold' };
const lastTry: SettleRules = { ...rules, maxAttempts: 2 };

/** Nothing is known of them. */
const others: OthersFare = { suspected: false, acceptedAgoMs: Infinity, acceptedElsewhere: false };
/** One was accepted half a second ago. */
const pass: OthersFare = { suspected: false, acceptedAgoMs: 500, acceptedElsewhere: false };

const accepted: Delivery = { outcome: 'accepted', status: 202, messageId: 'abc' };
const refused: Delivery = { outcome: 'refused', status: 422, error: 'HTTP 422' };
const unavailable: Delivery = { outcome: 'unavailable', status: 503, error: 'HTTP 503', retryAfterMs: null };
const asking: Delivery = { ...unavailable, retryAfterMs: 90_000 };
const channel: Delivery = { outcome: 'channel', status: 401, error: 'HTTP 401' };
const uncertain: Delivery = { outcome: 'uncertain', status: null, error: 'no answer' };
const unreadable: Delivery = { ...uncertain, isUnreadable: true };

const settle = (delivery: Delivery, by: SettleRules = rules, attempt: Partial<Attempt> = {}) =>
  settleOutcome(
    message,
    { delivery, durationMs: 12.4, knownAt: 3, responseExcerpt: null, messageHash: '0123456789', ...attempt },
    by,
    others,
    0,
  );

describe('settleOutcome', () => {
  it.each([
    ['marks an accepted message as sent', accepted, rules, { state: 'sent', charged: true, delayMs: null }],
    ['does so on the last try as well', accepted, lastTry, { state: 'sent', charged: true }],
    ['does so when uncertain ones are held', accepted, hold, { state: 'sent', charged: true }],
    ['parks a refused message at once', refused, rules, { state: 'failed', charged: true, delayMs: null }],
    ['sends later when the receiver is unavailable', unavailable, rules, { state: 'waiting', delayMs: 40_000 }],
    ['charges for that', unavailable, rules, { charged: true, reason: null }],
    ['waits as long as the receiver asked', asking, rules, { state: 'waiting', delayMs: 90_000 }],
    ['retries an unavailable one when uncertain ones are held', unavailable, hold, { state: 'waiting' }],
    ['gives up after the last try', unavailable, lastTry, { state: 'failed', charged: true, delayMs: null }],
    [
      'charges nothing for what may be the channel',
      channel,
      rules,
      { state: 'waiting', charged: false, delayMs: 10_000 },
    ],
    ['does not give up because of the channel', channel, lastTry, { state: 'waiting', charged: false }],
    ['does not hold because of the channel', channel, hold, { state: 'waiting', charged: false }],
    ['sends an uncertain one again, later', uncertain, rules, { state: 'waiting', charged: true, delayMs: 40_000 }],
    ['holds an uncertain one when told to', uncertain, hold, { state: 'uncertain', charged: true, delayMs: null }],
    [
      'never repeats what was answered unreadably',
      unreadable,
      rules,
      { state: 'uncertain', charged: true, delayMs: null },
    ],
    ['leaves the last try uncertain, not failed', uncertain, lastTry, { state: 'uncertain', charged: true }],
  ])('%s', (_, delivery, by, settlement) => {
    expect(settle(delivery, by)).toMatchObject({ id: 7, knownAt: 3, ...settlement });
  });

  it.each([
    [accepted, rules, 'abc', null],
    [{ ...accepted, messageId: null }, rules, null, null],
    [refused, rules, null, 'the receiver refused the message: HTTP 422'],
    [unavailable, lastTry, null, 'given up after 2 attempts: HTTP 503'],
    [uncertain, hold, null, 'no answer'],
    [uncertain, lastTry, null, 'given up after 2 attempts: no answer'],
  ])('keeps the provider’s id of %j, and says why a message was parked', (delivery, by, messageId, reason) => {
    expect(settle(delivery, by)).toMatchObject({ messageId, reason });
  });

  it('quotes the receiver in the reason, shortly', () => {
    const responseExcerpt = `  no\n such   number ${'x'.repeat(4_000)}`;
    const { reason } = settle(refused, rules, { responseExcerpt });
    expect(reason).toMatch(/^the receiver refused the message: HTTP 422: no such number x+$/);
    expect(reason?.length).toBeLessThan(300);
  });

  it.each([
    [refused, rules, 'the receiver refused the message: HTTP 422'],
    [unavailable, lastTry, 'given up after 2 attempts: HTTP 503'],
  ])('does not call failed what an earlier attempt may have sent: %j', (delivery, by, reason) => {
    const doubtful = { ...message, doubt: 'read ECONNRESET' };
    const attempt = { delivery, durationMs: 1, knownAt: 3, responseExcerpt: null, messageHash: '' };
    expect(settleOutcome(doubtful, attempt, by, others, 0)).toMatchObject({
      state: 'uncertain',
      reason: `${reason}; an earlier attempt may have sent it: read ECONNRESET`,
    });
  });

  it.each([
    [0, { responseExcerpt: 'busy', error: 'HTTP 401' }],
    [3, { responseExcerpt: null, error: 'HTTP 401' }],
    [10, { unlogged: true }],
    [1_000_000, { unlogged: true }],
  ])('writes down the first uncharged attempts and counts the others: after %i', (sitOuts, record) => {
    const attempt = { delivery: channel, durationMs: 1, knownAt: 3, responseExcerpt: 'busy', messageHash: '' };
    expect(settleOutcome({ ...message, sitOuts }, attempt, rules, others, 0).attempt).toMatchObject(record);
  });

  it.each([accepted, refused, unavailable, channel, uncertain])('writes down the attempt itself: %j', (delivery) => {
    expect(settle(delivery, rules, { responseExcerpt: 'busy' }).attempt).toEqual({
      number: 2,
      durationMs: 12,
      httpStatus: delivery.status,
      outcome: delivery.outcome,
      error: 'error' in delivery ? delivery.error : null,
      responseExcerpt: 'busy',
    });
  });
});

describe('settleOutcome, where the message or the way may be to blame', () => {
  const unconnected: Delivery = { outcome: 'channel', status: null, error: 'ECONNREFUSED' };
  const suspected: OthersFare = { suspected: true, acceptedAgoMs: 1, acceptedElsewhere: false };
  const longAgo: OthersFare = { suspected: false, acceptedAgoMs: 41_001, acceptedElsewhere: false };
  const had = (sitOuts: number, delivery: Delivery = channel, fare = pass, by = rules, random = 0) =>
    settleOutcome(
      { ...message, sitOuts },
      { delivery, durationMs: 1, knownAt: 3, responseExcerpt: 'no such number', messageHash: '' },
      by,
      fare,
      random,
    );

  it('holds a 503 against no message while the way may be to blame, but not for ever', () => {
    const elsewhere: OthersFare = { ...others, acceptedElsewhere: true };
    for (const fare of [suspected, elsewhere]) {
      expect(had(0, unavailable, fare, lastTry)).toMatchObject({ state: 'waiting', charged: false, delayMs: 1_000 });
      expect(had(19, unavailable, fare, lastTry)).toMatchObject({ state: 'waiting', charged: false });
      expect(had(20, unavailable, fare)).toMatchObject({ state: 'waiting', charged: true });
      expect(had(20, unavailable, fare, lastTry)).toMatchObject({ state: 'failed', charged: true });
    }
    expect(had(0, asking, elsewhere, lastTry)).toMatchObject({ charged: false, delayMs: 90_000 });
    expect(had(0, asking, suspected)).toMatchObject({ charged: true });
  });

  it('wants one that found no connection again within an interval, and within a minute', () => {
    expect(had(20, unconnected)).toMatchObject({ charged: false, delayMs: 1_000 });
    const hourly = { ...rules, schedulerIntervalMs: 3_600_000 };
    expect(had(20, unconnected, pass, hourly)).toMatchObject({ charged: false, delayMs: 60_000 });
  });

  it('does not hold a first such answer against the message', () => {
    expect(had(0)).toMatchObject({ state: 'waiting', charged: false, delayMs: 10_000 });
  });

  it('charges it with the next one when another was accepted since, and gives it up as any other', () => {
    expect(had(1)).toMatchObject({ state: 'waiting', charged: true, delayMs: 40_000 });
    expect(had(1, channel, pass, lastTry)).toMatchObject({
      state: 'failed',
      charged: true,
      reason: 'given up after 2 attempts: HTTP 401: no such number',
    });
  });

  it.each([
    ['others fare the same', channel, suspected],
    ['none was accepted since', channel, longAgo],
    ['none was ever accepted', channel, others],
    ['there was no connection', unconnected, pass],
  ])('charges nothing when %s', (_, delivery, fare) => {
    expect(had(5, delivery, fare, lastTry)).toMatchObject({ state: 'waiting', charged: false, reason: null });
  });

  it('has it wait longer each time, ten minutes at most and an interval at least', () => {
    const day = { ...rules, retryScheduleMs: [100, 10_000, 86_400_000] };
    expect([0, 1, 2, 100].map((sitOuts) => had(sitOuts, channel, others, day).delayMs)).toEqual([
      1_000, 10_000, 600_000, 600_000,
    ]);
    expect(had(2, channel, others, day, 0.5).delayMs).toBe(660_000);
  });

  it.each([
    [channel, suspected],
    [unconnected, others],
  ])('has it back after an interval when the way may be: %j', (delivery, fare) => {
    expect(had(100, delivery, fare).delayMs).toBe(1_000);
  });
});

describe('settleInvalid', () => {
  it('parks a message that may have been sent before as uncertain', () => {
    const doubtful = { ...message, doubt: 'no answer' };
    expect(settleInvalid(doubtful, 'content is too long', 3)).toMatchObject({
      state: 'uncertain',
      reason: 'content is too long; an earlier attempt may have sent it: no answer',
    });
  });

  it('parks the message without an attempt and without charging one', () => {
    expect(settleInvalid(message, 'recipient_phone must be a number', 3)).toEqual({
      id: 7,
      state: 'failed',
      knownAt: 3,
      charged: false,
      delayMs: null,
      reason: 'recipient_phone must be a number',
      messageId: null,
      messageHash: messageHash(message),
      attempt: null,
    });
  });
});
