import type { Looked } from '../messages/claim-look.js';
import { ClaimCursor, LockedStretches } from './claim-cursor.js';

const fresh = (claimed: number, next: number | null): Looked<number> => ({ claimed, next });

/** One look at the fresh ones by `job`: brings `claimed`, and the next would begin at `next`. */
const look = (job: ClaimCursor, claimed: number, next: number | null) =>
  job.advance({ fresh: fresh(claimed, next), retries: null, spent: false }, true);

describe('where a job looks for messages', () => {
  let stretches: LockedStretches;
  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
    stretches = new LockedStretches();
  });
  afterEach(() => jest.useRealTimers());

  const cursor = () => new ClaimCursor(stretches);

  it('is behind what others have locked, in later jobs at once', () => {
    const first = cursor();
    for (const next of [1_000, 2_000, 3_000]) look(first, 0, next);
    expect(first.look).toMatchObject({ fresh: 3_000, far: true });
    look(first, 10, 4_000);

    const second = cursor();
    look(second, 0, 1_000);
    expect(second.look.fresh).toBe(3_000);
    look(second, 10, 4_000);
    expect(second.look).toMatchObject({ fresh: 4_000, far: false });
  });

  it('is before them again where some of them could be claimed', () => {
    const first = cursor();
    for (const next of [1_000, 2_000, 3_000]) look(first, 0, next);
    const second = cursor();
    look(second, 3, 1_000);
    look(second, 0, 2_000);
    expect(second.look.fresh).toBe(2_000);
  });

  it('is nowhere else than before once the stretch was known for half a minute', () => {
    const first = cursor();
    for (const next of [1_000, 2_000, 3_000]) look(first, 0, next);
    jest.advanceTimersByTime(29_000);
    const second = cursor();
    look(second, 0, 1_000);
    expect(second.look.fresh).toBe(3_000);
    jest.advanceTimersByTime(2_000);
    const third = cursor();
    look(third, 0, 1_000);
    expect(third.look.fresh).toBe(1_000);
  });

  it('does not join two stretches between which messages were claimed', () => {
    const first = cursor();
    look(first, 0, 1_000);
    look(first, 10, 2_000);
    look(first, 0, 3_000);
    const second = cursor();
    look(second, 0, 1_000);
    expect(second.look.fresh).toBe(1_000);
  });

  it('is the start once more before the end counts, and nowhere after it', () => {
    const job = cursor();
    look(job, 10, 1_000);
    look(job, 2, null);
    expect(job.look.fresh).toBeNull();
    look(job, 0, null);
    expect(job.look.fresh).toBe('ended');
    job.reopen();
    expect(job.look.fresh).toBeNull();
  });
});
