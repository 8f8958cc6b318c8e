import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

/** Repeats `check` until it does not throw, for `withinMs` at least; then its last error is thrown. */
export async function eventually<T>(check: () => T | Promise<T>, withinMs = 5000): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const isLate = performance.now() > deadline;
    // Timers come before sockets in a turn: after a moment without a processor what is waited for may be there, and unread.
    if (isLate) await turn();
    try {
      return await check();
    } catch (error) {
      if (isLate) throw error;
    }
    await sleep(5);
  }
}
