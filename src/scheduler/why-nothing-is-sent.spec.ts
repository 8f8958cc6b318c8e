import { JOB_EXAMPLE } from './scheduler.examples.js';
import type { JobRecord } from './job-history.js';
import { whyNothingIsSent, type OwnCondition } from './why-nothing-is-sent.js';

const at = new Date('2025-07-20T14:00:00Z');
const schedule = { running: true, intervalMs: 1_000, lastSlotAt: 0, nextSlotAt: 0, waiting: 0, overflowTotal: 0 };
const seen = { schedule, workExists: true, changedAt: at, changedBy: 'ali', begun: [], silent: null };
const condition = {
  turnsFailSince: null,
  turnsFailBecause: 'permission denied',
  jobsFailSince: null,
  slotOverdueSince: null,
  deafSince: null,
};
const well: OwnCondition = { cannotWork: null, trouble: null, condition };
const stopped = { ...seen, schedule: { ...schedule, running: false } };

const still = { now: at.getTime(), lastSuccessAt: null, running: [], recent: [] };
const secondsAgo = (seconds: number) => new Date(at.getTime() - seconds * 1000).toISOString();
const job = (fields: Partial<JobRecord>): JobRecord => ({ ...(JOB_EXAMPLE as JobRecord), sent: 0, ...fields });

const toldAfter = (recent: readonly JobRecord[]) => whyNothingIsSent(seen, well, { ...still, recent });

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
    [
      'the receiver is in trouble, and this replica waits',
      seen,
      { ...well, trouble: 'HTTP 404', triesAgainAt: at },
      'HTTP 404; this replica tries again at 2025-07-20T14:00:00.000Z',
    ],
    ['this replica waits, and others send', seen, { ...well, triesAgainAt: at }, null],
  ])('is told when %s', (_when, sighting, own, told) => {
    expect(whyNothingIsSent(sighting, own, still)).toBe(told);
  });

  it.each([
    ['turnsFailSince', /^permission denied, since 2025/],
    ['jobsFailSince', /each job of this replica fails since 2025/],
    ['slotOverdueSince', /slot of 2025.* has not been taken/],
  ])('is told by %s', (ailment, told) => {
    expect(whyNothingIsSent(seen, { ...well, condition: { ...condition, [ailment]: at } }, still)).toMatch(told);
  });

  it('is told of a job that runs on and on, whatever holds it', () => {
    const running = [job({ id: 7, state: 'running', started_at: secondsAgo(20), finished_at: null })];
    const toldOf = (progress: object) => whyNothingIsSent(seen, well, { ...still, running, ...progress });
    expect(toldOf({})).toMatch(/^job 7 has run since .* and nothing was sent since$/);
    expect(toldOf({ lastSuccessAt: at.getTime() - 25_000 })).toMatch(/^job 7/);
    expect(toldOf({ lastSuccessAt: at.getTime() - 1_000 })).toBeNull();
    expect(toldOf({ running: [job({ started_at: secondsAgo(10) })] })).toBeNull();
  });

  it('is told of an owner that went silent, until something is sent after its job was taken over', () => {
    const trouble = { ...well, trouble: 'HTTP 404' };
    const begun = [{ id: 7, fence: 1, owner: 'elsewhere', leaseUntil: at.getTime(), tail: false }];
    expect(whyNothingIsSent({ ...seen, begun }, trouble, still)).toBe(
      'HTTP 404; the replica elsewhere went silent in job 7, which another one takes over',
    );
    const silent = { owner: 'elsewhere', takenOverAt: at.getTime(), requestLimitMs: null };
    const open = [{ id: 7, fence: 2, owner: null, leaseUntil: null, tail: false }];
    expect(whyNothingIsSent({ ...seen, begun: open, silent }, well, still)).toMatch(
      /^the replica elsewhere went silent, its job was taken over at 2025.*, and nothing was sent since$/,
    );
    expect(
      whyNothingIsSent({ ...seen, begun: open, silent }, well, { ...still, lastSuccessAt: at.getTime() }),
    ).toBeNull();
    expect(whyNothingIsSent({ ...seen, silent }, well, still)).toBeNull();
  });

  it('is told of jobs that come to nothing, and not of slots without work', () => {
    const vain = [2, 10, 18].map((ago) => job({ started_at: secondsAgo(ago), note: 'PostgreSQL refuses a claim' }));
    expect(toldAfter(vain)).toMatch(/^the last 3 jobs, since .*, sent nothing: PostgreSQL refuses a claim$/);
    expect(toldAfter([job({ sent: 1, started_at: secondsAgo(1) }), ...vain])).toBeNull();
    expect(toldAfter(vain.map((each) => ({ ...each, owner: null })))).toBeNull();
    expect(toldAfter(vain.slice(0, 2))).toBeNull();
  });
});
