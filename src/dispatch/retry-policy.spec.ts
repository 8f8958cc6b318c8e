import * as fc from 'fast-check';
import { retryDelayMs, type RetrySettings } from './retry-policy.js';

const settings: RetrySettings = {
  maxAttempts: 6,
  retryScheduleMs: [30_000, 120_000, 600_000],
  schedulerIntervalMs: 1_000,
};

describe('retryDelayMs', () => {
  it.each([
    [1, 30_000],
    [2, 120_000],
    [3, 600_000],
    [4, 600_000],
    [5, 600_000],
  ])('pauses after attempt %i as the schedule says, its last pause again and again', (attempt, ms) => {
    expect(retryDelayMs(attempt, settings, null, 0)).toBe(ms);
  });

  it.each([6, 7, 100])('gives up after attempt %i of 6, whatever the receiver asks for', (attempt) => {
    expect(retryDelayMs(attempt, settings, 1_000, 0)).toBeNull();
  });

  it('gives up after the only attempt', () => {
    expect(retryDelayMs(1, { ...settings, maxAttempts: 1 }, null, 0)).toBeNull();
  });

  it('spreads a pause by a fifth at most', () => {
    expect(retryDelayMs(1, settings, null, 0.5)).toBe(33_000);
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), random, (attempt, share) => {
        const pause = retryDelayMs(attempt, settings, null, 0) ?? 0;
        const spread = retryDelayMs(attempt, settings, null, share) ?? 0;
        expect(spread >= pause && spread <= pause * 1.2).toBe(true);
      }),
    );
  });

  it.each([
    ['lengthens', 90_000, 90_000],
    ['never shortens', 5_000, 30_000],
    ['is not needed for', 0, 30_000],
  ])('takes what the receiver asked for: it %s a pause', (_, asked, ms) => {
    expect(retryDelayMs(1, settings, asked, 0)).toBe(ms);
  });

  it('lets the next slot pass first, so that a failing message blocks nobody', () => {
    expect(retryDelayMs(1, { ...settings, schedulerIntervalMs: 3_600_000 }, null, 0.9)).toBe(3_600_000);
    expect(retryDelayMs(1, { ...settings, retryScheduleMs: [] }, null, 0)).toBe(1_000);
  });
});
