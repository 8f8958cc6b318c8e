import { countedTime, turnsOf } from './chaos/ordinary/turns.js';
import type { Fed, Kind } from './chaos/ordinary/types.js';

const row = (n: number, committedAt: number, kind: Kind = 'good'): Fed => ({ n, kind, committedAt });

describe('the turn of a message in the campaign of ordinary life', () => {
  const { counted } = countedTime([]);
  const pace = { rateLimit: 4, intervalMs: 1_000, counted };

  it('is one interval after its commit when nobody waits before it', () => {
    expect(turnsOf([row(1, 5_000)], pace)).toEqual(new Map([[1, 6_000]]));
  });

  it('comes after those who were committed before, at half the rate', () => {
    const rows = [row(1, 0), row(2, 0, 'bad'), row(3, 0), row(4, 10_000)];
    expect(turnsOf(rows, pace)).toEqual(
      new Map([
        [1, 1_000],
        [2, 1_500],
        [3, 2_000],
        [4, 11_000],
      ]),
    );
  });

  it('does not wait for rows that are invalid, refused by PostgreSQL or parked', () => {
    const rows = [row(1, 0, 'invalid'), row(2, 0, 'cursed'), row(3, 0, 'legacy'), row(4, 0, 'parked'), row(5, 1)];
    expect(turnsOf(rows, pace)).toEqual(new Map([[5, 1_001]]));
  });

  it('does not come nearer during a pause', () => {
    const clock = countedTime([
      { from: 500, until: 3_500, why: 'stopped' },
      { from: 3_000, until: 4_000, why: 'a lease' },
    ]);
    const turn = turnsOf([row(1, 0)], { ...pace, counted: clock.counted }).get(1) ?? NaN;
    expect(turn).toBe(1_000);
    expect(clock.instant(turn)).toBe(4_500);
    expect(clock.counted(4_500)).toBe(1_000);
    expect(clock.counted(2_000)).toBe(500);
  });
});
