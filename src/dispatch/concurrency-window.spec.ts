import { ConcurrencyWindow } from './concurrency-window.js';

const repeat = (times: number, act: () => void) => {
  for (let count = 0; count < times; count += 1) act();
};

/** A window that has grown to `size`, which is at least 8. */
function grown(size: number, ceiling = () => 64): ConcurrencyWindow {
  const window = new ConcurrencyWindow(ceiling);
  repeat(size - 7, () => window.succeeded(0, 5));
  return window;
}

describe('ConcurrencyWindow', () => {
  it('begins with one request at a time, and goes on with a few', () => {
    const window = new ConcurrencyWindow(() => 64);
    expect(window.size).toBe(1);
    window.succeeded(0, 5);
    expect(window.size).toBe(8);
  });

  it('grows by one per success, up to the ceiling', () => {
    expect(grown(10).size).toBe(10);
    expect(grown(1_000).size).toBe(64);
    expect(grown(1_000, () => 3).size).toBe(3);
  });

  it('follows a ceiling that falls at once, and does not grow beyond what it had when it rises', () => {
    let ceiling = 64;
    const window = grown(40, () => ceiling);
    ceiling = 8;
    expect(window.size).toBe(8);
    window.succeeded(0, 5);
    ceiling = 64;
    expect(window.size).toBe(8);
  });

  it('halves once for all that were in flight together, and keeps a few while others were accepted lately', () => {
    const window = grown(40);
    repeat(39, () => window.turnedAway(1, 2));
    expect(window.size).toBe(20);
    for (let now = 3; now < 10; now += 1) window.unanswered(now, now);
    expect(window.size).toBe(8);
  });

  it('does not shrink by a request without an answer when another one was accepted meanwhile', () => {
    const window = grown(40);
    window.succeeded(10, 5);
    window.unanswered(5, 20);
    expect(window.size).toBe(41);
    window.unanswered(15, 20);
    expect(window.size).toBe(20);
  });

  it('keeps a few where fewer are refused than accepted, and goes down to one where it is the other way round', () => {
    const window = grown(8);
    for (let now = 1; now < 100; now += 1) {
      window.turnedAway(now, now);
      window.succeeded(now, 5);
    }
    expect(window.size).toBeGreaterThanOrEqual(8);
    for (let now = 100; now < 300; now += 1) window.turnedAway(now, now);
    expect(window.size).toBe(1);
    window.succeeded(300, 5);
    expect(window.size).toBe(2);
  });

  it('goes back to one at a time when the channel is in trouble', () => {
    const window = grown(30);
    window.collapse();
    expect(window.size).toBe(1);
    window.reopen(0);
    window.turnedAway(1, 1);
    expect(window.size).toBe(1);
  });

  it('keeps its size from job to job, a few over a pause, and one after a long time', () => {
    const window = grown(30);
    window.reopen(1_000);
    expect(window.size).toBe(30);
    window.reopen(1_001);
    expect(window.size).toBe(8);
    window.reopen(600_001);
    expect(window.size).toBe(1);
  });

  it('knows how long answers take', () => {
    const window = new ConcurrencyWindow(() => 64);
    expect(window.usualAnswerMs).toBe(0);
    window.succeeded(0, 80);
    expect(window.usualAnswerMs).toBe(80);
    window.succeeded(0, 160);
    expect(window.usualAnswerMs).toBe(90);
  });
});
