import { BatchSize } from './batch-size.js';

describe('BatchSize', () => {
  it('halves what was cancelled, learns from what a statement took, and grows again when they are fast', () => {
    const size = new BatchSize(500, 1_000);
    size.timedOut(500);
    expect(size.rows).toBe(250);
    size.succeeded(250, 5_000);
    expect(size.rows).toBe(50);
    size.succeeded(50, 1_000);
    expect(size.rows).toBe(50);
    expect(size.isReduced).toBe(true);
    for (let statement = 0; statement < 4; statement += 1) size.succeeded(size.rows, 10);
    expect(size.rows).toBe(500);
    expect(size.isReduced).toBe(false);
  });

  it('passes a row that takes too long in few tries, and grows again behind it', () => {
    const size = new BatchSize(5_000);
    let tries = 0;
    for (; size.rows > 1; tries += 1) size.timedOut(size.rows, 10);
    expect(tries).toBe(4);
    for (; size.rows < 5_000; tries += 1) size.succeeded(size.rows, 10);
    expect(tries).toBeLessThan(20);
  });

  it('is never less than one', () => {
    const size = new BatchSize(500);
    size.timedOut(1);
    size.succeeded(1, 60_000);
    expect(size.rows).toBe(1);
  });

  it('does not grow by statements that were not full', () => {
    const size = new BatchSize(500);
    size.timedOut(200);
    size.succeeded(3, 1);
    expect(size.rows).toBe(100);
  });
});
