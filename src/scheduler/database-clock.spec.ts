import * as fc from 'fast-check';
import { clockJumpMs, type ClockReading } from './database-clock.js';

const reading = (databaseAt: number, askedAt: number, answeredAt = askedAt): ClockReading => ({
  databaseAt,
  askedAt,
  answeredAt,
});

describe('clockJumpMs', () => {
  it.each([
    ['a clock that runs on', reading(5_000, 0), reading(15_000, 10_000), 0],
    ['an hour back', reading(4_000_000, 0), reading(410_000, 10_000), -3_600_000],
    ['an hour forward', reading(0, 0), reading(3_610_000, 10_000), 3_600_000],
    ['half a second, which may be a slow answer', reading(0, 0), reading(9_490, 10_000), 0],
    ['more than half a second', reading(0, 0), reading(9_400, 10_000), -600],
    ['a clock that is slewed by 0.05 % for a day', reading(0, 0), reading(86_443_200, 86_400_000), 0],
    [
      'answers that took long, as a jump of the part that is sure',
      reading(0, 0, 400),
      reading(0, 10_000, 10_500),
      -9_600,
    ],
  ])('tells %s', (_, before, after, jumpMs) => {
    expect(clockJumpMs(before, after)).toBe(jumpMs);
  });

  const latency = fc.integer({ min: 0, max: 30_000 });
  const share = fc.integer({ min: 0, max: 100 });
  const elapsed = fc.integer({ min: 0, max: 86_400_000 });

  it('sees no jump of a clock that runs on, whatever the latency of the queries', () => {
    fc.assert(
      fc.property(elapsed, latency, latency, share, share, (pauseMs, firstMs, secondMs, first, second) => {
        const asked = firstMs + pauseMs;
        const before = reading(1e12 + (firstMs * first) / 100, 0, firstMs);
        const after = reading(1e12 + asked + (secondMs * second) / 100, asked, asked + secondMs);
        expect(clockJumpMs(before, after)).toBe(0);
      }),
    );
  });

  it('never tells more than the jump, and never the wrong direction', () => {
    const jump = fc.integer({ min: -1e9, max: 1e9 });
    fc.assert(
      fc.property(elapsed, latency, latency, share, jump, (pauseMs, firstMs, secondMs, where, jumpMs) => {
        const asked = firstMs + pauseMs;
        const before = reading((firstMs * where) / 100, 0, firstMs);
        const after = reading(asked + (secondMs * where) / 100 + jumpMs, asked, asked + secondMs);
        const told = clockJumpMs(before, after);
        expect(told * jumpMs).toBeGreaterThanOrEqual(0);
        expect(Math.abs(told)).toBeLessThanOrEqual(Math.abs(jumpMs));
      }),
    );
  });
});
