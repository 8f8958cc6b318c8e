import { SilenceWatch } from './silent-owner.js';

const TIMEOUT_MS = 10_000;
const taken = { owner: 'elsewhere', takenOverAt: 500_000, requestLimitMs: null };

describe('SilenceWatch', () => {
  it('doubts nothing while nobody went silent', () => {
    const watch = new SilenceWatch();
    watch.looked(null, 500_000, 1_000, TIMEOUT_MS);
    expect(watch.doubtMs(1_000)).toBe(0);
  });

  it.each([
    ['just now', 500_000, TIMEOUT_MS],
    ['some time ago', 506_000, 4_000],
    ['long ago', 900_000, 0],
    ['by a clock that was set back since', 100_000, TIMEOUT_MS],
  ])('doubts for the rest of one webhook timeout after a take-over %s', (_when, now, restMs) => {
    const watch = new SilenceWatch();
    watch.looked(taken, now, 1_000, TIMEOUT_MS);
    expect(watch.doubtMs(1_000)).toBe(restMs);
  });

  it('counts on its own clock, whatever the clock of the database does', () => {
    const watch = new SilenceWatch();
    watch.looked(taken, 500_000, 1_000, TIMEOUT_MS);
    watch.looked(taken, 4_100_000, 3_000, TIMEOUT_MS);
    expect(watch.doubtMs(3_000)).toBe(8_000);
    expect(watch.doubtMs(11_000)).toBe(0);
  });

  it('doubts for as long as the silent one let its requests take, whatever the timeout is here', () => {
    const watch = new SilenceWatch();
    watch.looked({ ...taken, requestLimitMs: 60_000 }, 506_000, 1_000, TIMEOUT_MS);
    expect(watch.doubtMs(1_000)).toBe(54_000);
  });

  it('begins anew with the next owner that goes silent', () => {
    const watch = new SilenceWatch();
    watch.looked(taken, 500_000, 1_000, TIMEOUT_MS);
    watch.looked({ owner: 'another', takenOverAt: 508_000, requestLimitMs: null }, 508_000, 9_000, TIMEOUT_MS);
    expect(watch.doubtMs(11_000)).toBe(8_000);
  });
});
