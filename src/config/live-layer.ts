import { withHiddenEscaped } from '../hidden-characters.js';
import { didYouMean } from './did-you-mean.js';
import type { ConfigDocument, ConfigSource, RawEntry, RawValue, SourceHistory } from './config-source.js';
import { LIVE_KEYS, LIVE_KEY_NAMES, type LiveKey, type LiveValue, type ParsedValue } from './live-keys.js';

export interface GoodValue {
  readonly value: LiveValue;
  readonly version: string;
  readonly origin: string;
}

export interface RefusedValue {
  readonly reason: string;
  readonly version: string;
  /** To tell a value that is refused again from a new one; never shown. */
  readonly raw: RawValue;
}

/** Of unknown keys, so many are shown, and logged by name. */
const UNKNOWN_SHOWN = 20;

/** What one source says: per key the last value that fitted and, while one is being refused, why. */
export class LiveLayer {
  /** Version of the last document; null until there was one. */
  version: string | null = null;
  /** Of that document; null where the source has no history, and until there was one. */
  history: SourceHistory | null = null;
  /** Of that document; null where the source does not tell. */
  placedAt: number | null = null;
  private readonly good = new Map<LiveKey, GoodValue>();
  private readonly refused = new Map<LiveKey, RefusedValue>();
  private unknownNames: ReadonlySet<string> = new Set();
  /** Names that were warned of since there were none. */
  private unknownSaid = 0;

  constructor(readonly source: ConfigSource) {}

  goodValue(key: LiveKey): GoodValue | undefined {
    return this.good.get(key);
  }

  refusal(key: LiveKey): RefusedValue | undefined {
    return this.refused.get(key);
  }

  /** Why this source does not tell what it wants `key` to be, or null when it does: unset counts as told. */
  unknown(key: LiveKey): string | null {
    const { name, status } = this.source;
    if (this.version === null) return `${name} has not been read yet (${status.problem ?? 'it does not answer'})`;
    if (this.refused.has(key) && !this.good.has(key)) return `${name} holds a value that is refused`;
    return null;
  }

  get unknownKeys(): readonly string[] {
    return [...this.unknownNames];
  }

  /** Takes over a document. Returns what has to be warned of, each thing once for as long as it stays so. */
  apply(document: ConfigDocument): string[] {
    this.version = document.version;
    this.history = document.history ?? null;
    this.placedAt = document.placedAt ?? null;
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
    const parsed = parseSafely(key, entry.raw);
    if (parsed.ok) {
      this.good.set(key, { value: parsed.value, version: entry.version, origin: entry.origin ?? '' });
      return undefined;
    }
    this.refused.set(key, { reason: parsed.reason, version: entry.version, raw: entry.raw });
    if (before !== undefined && sameRaw(before.raw, entry.raw)) return undefined;
    return `refused from ${this.source.name}: ${parsed.reason}; the last good value stays in force, and without one it is unknown and decides nothing`;
  }

  /** Says each name once, and of more than a few at a time only how many: anybody may fill a folder in etcd. */
  private applyUnknown(names: readonly string[]): string[] {
    const shown = names.slice(0, UNKNOWN_SHOWN).map((name) => withHiddenEscaped(name.slice(0, 64)));
    const fresh = shown.filter((name) => !this.unknownNames.has(name));
    this.unknownNames = new Set(shown);
    if (names.length === 0) this.unknownSaid = 0;
    if (fresh.length === 0 || this.unknownSaid >= UNKNOWN_SHOWN) return [];
    const from = `from ${this.source.name}`;
    this.unknownSaid += fresh.length;
    if (this.unknownSaid >= UNKNOWN_SHOWN) {
      return [
        `${names.length} keys ${from} are not live settings and change nothing, such as ${JSON.stringify(fresh[0])}; ` +
          `further ones are not logged until all are gone, GET /config shows the first ${UNKNOWN_SHOWN}`,
      ];
    }
    return fresh.map(
      (name) =>
        `${JSON.stringify(name)} ${from} is not a live setting and changes nothing${didYouMean(name, LIVE_KEY_NAMES)}`,
    );
  }
}

/** Whatever a source delivers, it ends no process: a value that a key's own code fails on is refused like any other. */
function parseSafely(key: LiveKey, raw: RawValue): ParsedValue {
  try {
    const parsed = key.parse(raw);
    if (parsed.ok) key.show(parsed.value);
    return parsed;
  } catch {
    return { ok: false, reason: `${key.name} cannot be read` };
  }
}

function sameRaw(one: RawValue, other: RawValue): boolean {
  if (one instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(one, other) === 0;
  return typeof one === 'string' ? one === other : JSON.stringify(one) === JSON.stringify(other);
}
