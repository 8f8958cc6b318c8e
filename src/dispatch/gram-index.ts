const FILTER_SIZE = 1 << 14;
const BASE = 0x01000193;

/** Finds the places where `length` units of a text stand somewhere in one of several other texts, in linear time. */
export class GramIndex {
  private readonly grams = new Set<string>();
  private readonly filter = new Uint8Array(FILTER_SIZE);
  /** What the first unit of a gram counts in its hash. */
  private readonly first: number;

  constructor(readonly length: number) {
    let first = 1;
    for (let unit = 1; unit < length; unit += 1) first = Math.imul(first, BASE);
    this.first = first;
  }

  /** A shorter one adds nothing. */
  add(text: string): void {
    for (let at = 0; at + this.length <= text.length; at += 1) {
      const gram = text.slice(at, at + this.length);
      this.grams.add(gram);
      this.filter[slotOf(this.hashOf(gram))] = 1;
    }
  }

  /** Calls `onPlace` with each index at which a gram begins, in their order. */
  find(text: string, onPlace: (index: number) => void): void {
    if (this.grams.size === 0 || text.length < this.length) return;
    let hash = this.hashOf(text.slice(0, this.length));
    for (let at = 0; ; at += 1) {
      if (this.filter[slotOf(hash)] === 1 && this.grams.has(text.slice(at, at + this.length))) onPlace(at);
      const next = at + this.length;
      if (next === text.length) return;
      hash = Math.imul(hash - Math.imul(text.charCodeAt(at), this.first), BASE) + text.charCodeAt(next);
    }
  }

  private hashOf(gram: string): number {
    let hash = 0;
    for (let at = 0; at < gram.length; at += 1) hash = (Math.imul(hash, BASE) + gram.charCodeAt(at)) | 0;
    return hash;
  }
}

function slotOf(hash: number): number {
  return Math.imul(hash, 0x9e3779b1) >>> 18;
}
