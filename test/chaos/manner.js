import { Random } from './random.js';

/** Messages that the receiver always refuses, one in so many. */
const REFUSES_ONE_IN = 1_000;

/**
 * What the receiver does with the `count`-th request for message `n`: the seed decides, not the order of arrival, so a
 * message meets the same receiver in every repetition.
 * @param {number} seed
 * @param {number} n
 * @param {number} count from 1
 * @returns {import('./types.js').Manner}
 */
export function mannerOf(seed, n, count) {
  const forMessage = new Random(seed ^ Math.imul(n, 0x9e3779b1));
  if (forMessage.next() < 1 / REFUSES_ONE_IN) return { behaviour: 'bad', delayMs: 0, takes: false };
  const random = new Random(seed ^ Math.imul(n, 0x85ebca6b) ^ Math.imul(count, 0xc2b2ae35));
  const behaviour = random.weigh(
    /** @type {const} */ ([
      [88, 'prompt'],
      [4, 'slow'],
      [3, 'html'],
      [2.5, 'busy'],
      [1.5, 'reset'],
      [1, 'late'],
    ]),
  );
  switch (behaviour) {
    case 'prompt':
    case 'html':
      return { behaviour, delayMs: random.between(0, 60), takes: true };
    case 'slow':
      return { behaviour, delayMs: random.between(100, 800), takes: true };
    case 'busy':
      return { behaviour, delayMs: random.between(0, 20), takes: false };
    case 'reset':
      return { behaviour, delayMs: random.between(0, 60), takes: random.next() < 0.5 };
    case 'late':
      return { behaviour, delayMs: random.between(2_400, 3_500), takes: true };
  }
}
