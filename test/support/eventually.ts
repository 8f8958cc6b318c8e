import { setTimeout as sleep } from 'node:timers/promises';

/** Repeats `check` until it does not throw; its last error is thrown when that takes longer than `withinMs`. */
export async function eventually<T>(check: () => T | Promise<T>, withinMs = 5000): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await sleep(5);
  }
}
