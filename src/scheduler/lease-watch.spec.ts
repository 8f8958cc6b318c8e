import { LeaseWatch } from './lease-watch.js';
import { LEASE_MS } from './running-job.js';

const STARTED = 1_000;
/** The database's clock is ahead of the monotonic one by so much. */
const AHEAD = 1_800_000_000_000;

describe('LeaseWatch', () => {
  let watch: LeaseWatch;
  let leaseEndsAt: number;
  let clockJump: number;
  let lapseSeenAgoMs: number | null;
  let postmasterStartedAt: number;

  beforeEach(() => {
    watch = new LeaseWatch();
    leaseEndsAt = 20_000;
    clockJump = 0;
    lapseSeenAgoMs = null;
    postmasterStartedAt = AHEAD - 1e9;
  });

  /** Looks at that instant; whether the job of another replica may be taken over then. */
  const mayTake = (at: number): boolean => {
    const now = at + AHEAD + clockJump;
    const job = { id: 7, fence: 1, owner: 'elsewhere', leaseUntil: leaseEndsAt + AHEAD, lapseSeenAgoMs, tail: false };
    watch.looked({ begun: [job], now, postmasterStartedAt }, at);
    return job.leaseUntil < now && watch.heldUntil(job) <= at;
  };
  /** The first of the looks, one each `everyMs`, at which it may be taken over. */
  const takenAt = (from: number, everyMs: number, before: (at: number) => void = () => undefined): number => {
    for (let at = from; at < from + 300_000; at += everyMs) {
      before(at);
      if (mayTake(at)) return at;
    }
    return Infinity;
  };

  it('lets a job be taken over as soon as its lease has run out while nothing disturbs', () => {
    expect(takenAt(STARTED, 500)).toBe(leaseEndsAt + 500);
  });

  it('gives each owner one lease when this replica has just started, and no longer', () => {
    leaseEndsAt = STARTED - 5_000;
    expect(takenAt(STARTED, 500)).toBe(STARTED + LEASE_MS);
  });

  it.each([
    ['4 s ago', 4_000, LEASE_MS - 4_000],
    ['long ago', 60_000, 0],
    ['in the future, by a clock that was set back', -5_000, LEASE_MS],
  ])('counts the grace of an owner from when another replica saw its lease run out: %s', (_when, agoMs, restMs) => {
    leaseEndsAt = STARTED - 5_000;
    lapseSeenAgoMs = agoMs;
    expect(takenAt(STARTED, 500)).toBe(STARTED + restMs);
  });

  it.each([
    ['the clock of the database jumped', () => ((clockJump = 3_600_000), watch.excuseOwners())],
    ['the process stood still', () => watch.stoodStill(5_000)],
    ['PostgreSQL started anew', () => void (postmasterStartedAt += 5)],
  ])('gives each owner one more lease when %s', (_name, disturb) => {
    mayTake(STARTED);
    mayTake(19_000);
    disturb();
    expect(takenAt(25_000, 500)).toBe(25_000 + LEASE_MS);
  });

  it('gives one more lease after a time out of touch that endangers a renewal, and none after a short one', () => {
    mayTake(STARTED);
    mayTake(12_000);
    watch.lostTouch();
    mayTake(18_000);
    expect(mayTake(20_001)).toBe(true);
    leaseEndsAt = 30_000;
    mayTake(21_000);
    watch.lostTouch();
    expect(takenAt(40_000, 500)).toBe(50_000);
  });

  it.each([4_000, 8_500, 20_000])(
    'holds no job of the dead for longer, though touch is lost every %i ms',
    (everyMs) => {
      mayTake(STARTED);
      const disturb = (at: number) => at % everyMs < 1_000 && watch.lostTouch();
      expect(takenAt(2_000, 1_000, disturb)).toBeLessThanOrEqual(leaseEndsAt + LEASE_MS + 1_000);
      leaseEndsAt = 400_000;
      mayTake(350_000);
      expect(takenAt(358_000, everyMs, () => watch.lostTouch())).toBeLessThanOrEqual(400_000 + LEASE_MS + 2 * everyMs);
    },
  );

  it.each([4_000, 8_500])('holds none for longer when clock or process jump every %i ms', (everyMs) => {
    const disturb = (at: number) => at % everyMs < 500 && watch.excuseOwners();
    expect(takenAt(STARTED, 500, disturb)).toBeLessThanOrEqual(leaseEndsAt + LEASE_MS + 500);
  });

  it('does not count the time in which the process stood still', () => {
    mayTake(STARTED);
    watch.excuseOwners();
    mayTake(25_000);
    watch.stoodStill(60_000);
    expect(takenAt(86_000, 500)).toBe(25_000 + LEASE_MS + 60_000);
  });

  it('takes a lease that moved as proof that its owner lives', () => {
    mayTake(STARTED);
    watch.excuseOwners();
    expect(mayTake(25_000)).toBe(false);
    leaseEndsAt = 26_000;
    expect(takenAt(25_500, 500)).toBe(26_500);
  });

  it('forgets jobs that are over', () => {
    mayTake(STARTED);
    watch.looked({ begun: [], now: STARTED, postmasterStartedAt }, STARTED + 1);
    expect(watch.heldUntil({ id: 7, fence: 1 })).toBe(-Infinity);
  });
});
