import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The first result of `look` that is not null or undefined; an error of `look` counts as none yet.
 * @template T
 * @param {string} what for the message when it does not come
 * @param {() => Promise<T | null | undefined> | T | null | undefined} look
 * @param {{ withinMs?: number, everyMs?: number }} [limits]
 * @returns {Promise<T>}
 */
export async function eventually(what, look, { withinMs = 30_000, everyMs = 10 } = {}) {
  const deadline = performance.now() + withinMs;
  /** @type {unknown} */
  let reason;
  for (;;) {
    try {
      const found = await look();
      if (found !== null && found !== undefined) return found;
    } catch (error) {
      reason = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`${what}: not within ${withinMs / 1000} s`, { cause: reason });
    }
    await sleep(everyMs);
  }
}
