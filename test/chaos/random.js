/** A stream of numbers in [0, 1) that the seed alone decides (mulberry32). */
export class Random {
  /** @param {number} seed */
  constructor(seed) {
    this.state = seed >>> 0;
  }

  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  between(from, to) {
    return from + (to - from) * this.next();
  }

  /**
   * @template T
   * @param {readonly T[]} items
   * @returns {T}
   */
  pick(items) {
    const item = items[Math.floor(this.next() * items.length)];
    if (item === undefined) throw new Error('there is nothing to pick from');
    return item;
  }

  /**
   * One of the items, each as often as its weight says.
   * @template T
   * @param {readonly (readonly [number, T])[]} weighted
   * @returns {T}
   */
  weigh(weighted) {
    const total = weighted.reduce((sum, [weight]) => sum + weight, 0);
    let left = this.next() * total;
    for (const [weight, item] of weighted) {
      left -= weight;
      if (left < 0) return item;
    }
    return this.pick(weighted)[1];
  }
}
