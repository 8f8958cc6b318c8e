import { WakeSignal } from './wake-signal.js';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** Starts a wait and tells whether it is over. */
function waiting(signal: WakeSignal, ms: number): { readonly over: boolean } {
  const state = { over: false };
  void signal.waitUntil(performance.now() + ms).then(() => (state.over = true));
  return state;
}

describe('WakeSignal', () => {
  it('waits until the deadline and no longer', async () => {
    const wait = waiting(new WakeSignal(), 5_000);
    await jest.advanceTimersByTimeAsync(4_999);
    expect(wait.over).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(wait.over).toBe(true);
  });

  it.each([0, -5_000])('does not wait for a deadline that is %i ms away', async (ms) => {
    const wait = waiting(new WakeSignal(), ms);
    await jest.advanceTimersByTimeAsync(0);
    expect(wait.over).toBe(true);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('ends at once when woken, and leaves no timer behind', async () => {
    const signal = new WakeSignal();
    const wait = waiting(signal, 5_000);
    await jest.advanceTimersByTimeAsync(10);
    signal.wake();
    await jest.advanceTimersByTimeAsync(0);
    expect(wait.over).toBe(true);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('remembers a call that came while nobody waited, for one wait', async () => {
    const signal = new WakeSignal();
    signal.wake();
    signal.wake();
    const first = waiting(signal, 5_000);
    await jest.advanceTimersByTimeAsync(0);
    expect(first.over).toBe(true);
    const second = waiting(signal, 5_000);
    await jest.advanceTimersByTimeAsync(4_999);
    expect(second.over).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(second.over).toBe(true);
  });

  it('waits a year in naps of a minute at most, since longer timers would fire at once', async () => {
    const setTimer = jest.spyOn(globalThis, 'setTimeout');
    const wait = waiting(new WakeSignal(), 31_536_000_000);
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(wait.over).toBe(false);
    expect(setTimer.mock.calls.length).toBe(61);
    expect(Math.max(...setTimer.mock.calls.map(([, ms]) => ms ?? 0))).toBe(60_000);
    setTimer.mockRestore();
  });

  it('waits for ever when there is no deadline, until woken', async () => {
    const signal = new WakeSignal();
    const wait = waiting(signal, Infinity);
    await jest.advanceTimersByTimeAsync(600_000);
    expect(wait.over).toBe(false);
    signal.wake();
    await jest.advanceTimersByTimeAsync(0);
    expect(wait.over).toBe(true);
  });
});
