import { ConcurrencyWindow } from './concurrency-window.js';

const repeat = (times: number, act: () => void) => {
  for (let count = 0; count < times; count += 1) act();
};

/** A window that has grown to `size`. */
function grown(size: number, ceiling = () => 64): ConcurrencyWindow {
  const window = new ConcurrencyWindow(ceiling);
  repeat(size - 1, () => window.succeeded(0));
  return window;
}

describe('ConcurrencyWindow', () => {
  it('begins with one request at a time', () => {
    expect(new ConcurrencyWindow(() => 64).size).toBe(1);
  });

  it('grows by one per success, up to the ceiling', () => {
    expect(grown(10).size).toBe(10);
    expect(grown(1_000).size).toBe(64);
  });

  it('follows a ceiling that falls at once, and does not grow beyond what it had when it rises', () => {
    let ceiling = 64;
    const window = grown(40, () => ceiling);
    ceiling = 8;
    expect(window.size).toBe(8);
    window.succeeded(0);
    ceiling = 64;
    expect(window.size).toBe(8);
  });

  it('halves with a failure, and keeps one', () => {
    const window = grown(9);
    window.failed();
    expect(window.size).toBe(4);
    repeat(5, () => window.failed());
    expect(window.size).toBe(1);
  });

  it('goes back to one at a time when the channel is in trouble', () => {
    const window = grown(30);
    window.collapse();
    expect(window.size).toBe(1);
  });

  it('keeps its size from job to job, but not over a pause of more than a second', () => {
    const window = grown(30);
    window.reopen(1_000);
    expect(window.size).toBe(30);
    window.reopen(1_001);
    expect(window.size).toBe(1);
  });
});
