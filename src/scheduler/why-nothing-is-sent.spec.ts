import { whyNothingIsSent, type OwnCondition } from './why-nothing-is-sent.js';

const at = new Date('2025-07-20T14:00:00Z');
const schedule = { running: true, intervalMs: 1_000, lastSlotAt: 0, nextSlotAt: 0, waiting: 0, overflowTotal: 0 };
const seen = { schedule, workExists: true, changedAt: at, changedBy: 'ali' };
const condition = {
  turnsFailSince: null,
  turnsFailBecause: 'permission denied',
  jobsFailSince: null,
  slotOverdueSince: null,
  deafSince: null,
};
const well: OwnCondition = { cannotWork: null, trouble: null, condition };
const stopped = { ...seen, schedule: { ...schedule, running: false } };

describe('why nothing is sent', () => {
  it.each([
    ['nothing keeps messages', seen, well, null],
    ['none waits, though sending is stopped', { ...stopped, workExists: false }, well, null],
    [
      'sending is stopped',
      stopped,
      well,
      'sending is stopped since 2025-07-20T14:00:00.000Z by ali; POST /start resumes it',
    ],
    [
      'there is no URL',
      seen,
      { ...well, cannotWork: 'no webhook_url is set' },
      'no webhook_url is set on this replica',
    ],
    ['the receiver is in trouble', seen, { ...well, trouble: 'HTTP 404' }, 'HTTP 404'],
  ])('is told when %s', (_when, sighting, own, told) => {
    expect(whyNothingIsSent(sighting, own)).toBe(told);
  });

  it.each([
    ['turnsFailSince', /^permission denied, since 2025/],
    ['jobsFailSince', /each job of this replica fails since 2025/],
    ['slotOverdueSince', /slot of 2025.* has not been taken/],
  ])('is told by %s', (ailment, told) => {
    expect(whyNothingIsSent(seen, { ...well, condition: { ...condition, [ailment]: at } })).toMatch(told);
  });
});
