import { settleOrphan, type OrphanRules } from './settle-orphan.js';

const NOW = { wallMs: Date.parse('2026-03-01T12:00:30Z'), monotonicMs: 50_000 };
const orphan = {
  id: 7,
  recipientPhone: '+905551111111',
  content: 'hello',
  createdAt: null,
  attempts: 1,
  sitOuts: 0,
  doubt: null,
};
const receipt = { id: 7, messageId: 'abc', sentAtMs: Date.parse('2026-03-01T12:00:00Z'), messageHash: '0123456789' };
const resend: OrphanRules = { maxAttempts: 3, onUncertain: 'resend' };
const hold: OrphanRules = { maxAttempts: 3, onUncertain: 'hold' };
const spent: OrphanRules = { maxAttempts: 2, onUncertain: 'resend' };

describe('settleOrphan', () => {
  it.each([resend, hold, spent])('marks a message with a receipt as sent, when it was sent, under %j', (rules) => {
    expect(settleOrphan(orphan, receipt, rules, NOW)).toMatchObject({
      id: 7,
      state: 'sent',
      knownAt: 20_000,
      charged: true,
      messageId: 'abc',
      reason: null,
      attempt: { number: 2, outcome: 'accepted', error: null, httpStatus: null },
    });
  });

  it('takes a receipt without an id, and one that a fast clock dated ahead', () => {
    const odd = { ...receipt, messageId: null, sentAtMs: Date.parse('2026-03-01T12:05:00Z') };
    expect(settleOrphan(orphan, odd, hold, NOW)).toMatchObject({ state: 'sent', messageId: null, knownAt: 50_000 });
  });

  it.each([
    ['sends it again at once', resend, { state: 'waiting', delayMs: null, reason: null }],
    [
      'holds it when told to',
      hold,
      { state: 'uncertain', delayMs: null, reason: 'the replica that was sending it went away' },
    ],
    [
      'leaves it uncertain after its last try',
      spent,
      { state: 'uncertain', delayMs: null, reason: 'the replica that was sending it went away' },
    ],
  ])('without a receipt %s, and charges the attempt', (_, rules, settlement) => {
    expect(settleOrphan(orphan, null, rules, NOW)).toMatchObject({
      id: 7,
      charged: true,
      knownAt: 50_000,
      messageId: null,
      attempt: { number: 2, outcome: 'uncertain' },
      ...settlement,
    });
  });
});
