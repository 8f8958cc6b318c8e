import { IntervalQueue } from './interval-queue.js';

/** The parts of a queue whose loop never comes to use the others. */
const queueWith = (whenReady: () => Promise<void>) =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  new (IntervalQueue as unknown as new (...parts: unknown[]) => IntervalQueue)(
    { watchWork: () => undefined },
    {},
    { whenReady, ready: true },
    { deafSince: null },
    {},
    { failsSince: null },
  );
const handler = {
  work: { expression: 'FALSE', values: () => [], exists: () => false },
  lastSuccess: { name: 'never', text: 'SELECT' },
  status: () => ({ inFlight: 0, concurrency: 1, concurrencyLimit: 1, trouble: null }),
  hasRoomBeside: () => true,
  cannotWork: () => null,
  forgetTrouble: () => undefined,
  clockSetBack: () => undefined,
  run: () => Promise.reject(new Error('it is never run')),
};

describe('the loop of the scheduler', () => {
  it('is not alive before it has begun, and is while it waits for the schema', () => {
    const queue = queueWith(() => new Promise(() => undefined));
    expect(queue.hangs).toMatch(/not begun/);
    queue.begin(handler);
    expect(queue.hangs).toBeNull();
  });

  it('ends the process, and is not alive, when it fails for good', async () => {
    const queue = queueWith(() => Promise.reject(new Error('a bug')));
    const died = new Promise((resolve) => queue.begin(handler, resolve));
    expect(await died).toEqual(new Error('a bug'));
    expect(queue.hangs).toMatch(/^The scheduler loop has ended, and the log says why/);
  });
});
