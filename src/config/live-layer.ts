import { didYouMean } from './did-you-mean.js';
import type { ConfigDocument, ConfigSource, RawEntry, RawValue } from './config-source.js';
import { LIVE_KEYS, LIVE_KEY_NAMES, type LiveKey, type LiveValue } from './live-keys.js';

export interface GoodValue {
  readonly value: LiveValue;
  readonly version: string;
}

export interface RefusedValue {
  readonly reason: string;
  readonly version: string;
  /** To tell a value that is refused again from a new one; never shown. */
  readonly raw: RawValue;
}

/** What one source says: per key the last value that fitted and, while one is being refused, why. */
export class LiveLayer {
  /** Version of the last document; null until there was one. */
  version: string | null = null;
  private readonly good = new Map<LiveKey, GoodValue>();
  private readonly refused = new Map<LiveKey, RefusedValue>();
  private unknown: ReadonlySet<string> = new Set();

  constructor(readonly source: ConfigSource) {}

  goodValue(key: LiveKey): GoodValue | undefined {
    return this.good.get(key);
  }

  refusal(key: LiveKey): RefusedValue | undefined {
    return this.refused.get(key);
  }

  get unknownKeys(): readonly string[] {
    return [...this.unknown];
  }

  /** Takes over a document. Returns what has to be warned of, each thing once for as long as it stays so. */
  apply(document: ConfigDocument): string[] {
    this.version = document.version;
    const warnings: string[] = [];
    for (const key of LIVE_KEYS) {
      const warning = this.applyKey(key, document.entries.get(key.name));
      if (warning !== undefined) warnings.push(warning);
    }
    warnings.push(...this.applyUnknown([...document.entries.keys()].filter((name) => !LIVE_KEY_NAMES.includes(name))));
    return warnings;
  }

  private applyKey(key: LiveKey, entry: RawEntry | undefined): string | undefined {
    const before = this.refused.get(key);
    this.refused.delete(key);
    if (entry === undefined) {
      this.good.delete(key);
      return undefined;
    }
    const parsed = key.parse(entry.raw);
    if (parsed.ok) {
      this.good.set(key, { value: parsed.value, version: entry.version });
      return undefined;
    }
    this.refused.set(key, { reason: parsed.reason, version: entry.version, raw: entry.raw });
    if (before !== undefined && sameRaw(before.raw, entry.raw)) return undefined;
    return `refused from ${this.source.name}: ${parsed.reason}; the last good value stays in force`;
  }

  private applyUnknown(names: readonly string[]): string[] {
    // Of very many only some are kept: anybody may fill a folder in etcd.
    const shown = names.slice(0, 20).map((name) => name.slice(0, 64));
    const fresh = shown.filter((name) => !this.unknown.has(name));
    this.unknown = new Set(shown);
    return fresh.map(
      (name) =>
        `${JSON.stringify(name)} from ${this.source.name} is not a live setting and changes nothing${didYouMean(name, LIVE_KEY_NAMES)}`,
    );
  }
}

function sameRaw(one: RawValue, other: RawValue): boolean {
  if (one instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(one, other) === 0;
  return typeof one === 'string' ? one === other : JSON.stringify(one) === JSON.stringify(other);
}
