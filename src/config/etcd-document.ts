import type { IKeyValue, IRangeResponse, IWatchResponse } from 'etcd3';
import type { ConfigDocument, RawEntry, RawValue } from './config-source.js';

/**
 * What is known of the keys below a prefix, kept up from full reads and from events.
 * A key that is gone was deleted, unless the whole store was replaced (its revisions went back, or tell another
 * history): then it stays, as the last good value, until it is written or deleted again.
 */
export class EtcdDocument {
  private clusterId: string | null = null;
  /** The newest revision that the store was seen at. */
  private seen = 0n;
  /** Events up to here are part of `entries`. */
  private applied = 0n;
  /** What is not newer came with a store that replaced another; nobody was seen putting it. */
  private restoredUpTo = 0n;
  private entries = new Map<string, RawEntry>();
  private retained: ReadonlySet<string> = new Set();

  constructor(private readonly prefix: string) {}

  get revision(): string {
    return String(this.seen);
  }

  private get origin(): string {
    return `${this.clusterId ?? ''}${this.prefix}`;
  }

  /** The keys that are kept although the store, which was replaced, does not have them. */
  get retainedKeys(): readonly string[] {
    return [...this.retained];
  }

  get document(): ConfigDocument {
    const history = {
      origin: this.origin,
      version: String(this.applied),
      restoredUpTo: String(this.restoredUpTo),
    };
    return { entries: new Map(this.entries), version: this.revision, history };
  }

  /**
   * Takes over a full read that was asked for when `revision` was `askedAt`. Returns whether anything changed.
   * A read that events have overtaken changes nothing.
   */
  takeRead({ header, kvs }: IRangeResponse, askedAt: string): boolean {
    const revision = BigInt(header.revision);
    const known = this.clusterId !== null;
    const replaced =
      known &&
      (header.cluster_id !== this.clusterId ||
        revision < BigInt(askedAt) ||
        (revision >= this.seen && kvs.some((kv) => this.contradicts(kv))));
    if (known && !replaced && revision < this.seen) return false;

    const before = this.entries;
    const origin = `${header.cluster_id}${this.prefix}`;
    const entries = new Map(kvs.map((kv): [string, RawEntry] => [this.nameOf(kv), entryOf(kv, origin)]));
    const kept = replaced ? [...before.keys()] : [...this.retained];
    this.retained = new Set(kept.filter((name) => !entries.has(name)));
    for (const name of this.retained) {
      const entry = before.get(name);
      if (entry !== undefined) entries.set(name, entry);
    }
    this.clusterId = header.cluster_id;
    if (replaced) this.restoredUpTo = revision;
    this.seen = revision;
    this.applied = revision;
    this.entries = entries;
    return !known || replaced || !sameVersions(before, entries);
  }

  /** Takes over what a watch tells; events that are known already are passed over. Returns whether anything changed. */
  takeEvents({ header, events }: IWatchResponse): boolean {
    let changed = false;
    let newest = this.applied;
    for (const { type, kv } of events) {
      const revision = BigInt(kv.mod_revision);
      if (revision <= this.applied) continue;
      if (revision > newest) newest = revision;
      const name = this.nameOf(kv);
      changed = true;
      // `Put` by its type, `PUT` by what the library hands over.
      if (type.toLowerCase() === 'put') this.entries.set(name, entryOf(kv, this.origin));
      else this.entries.delete(name);
      this.retained = new Set([...this.retained].filter((other) => other !== name));
    }
    this.applied = newest;
    // The header is ahead of the events while a watch catches up.
    const revision = BigInt(header.revision);
    if (revision > this.seen) this.seen = revision;
    return changed;
  }

  /** Gives up a key that was kept from a store that was replaced. Returns whether there was one. */
  forget(name: string): boolean {
    if (!this.retained.has(name)) return false;
    this.entries.delete(name);
    this.retained = new Set([...this.retained].filter((other) => other !== name));
    return true;
  }

  /** Whether the store claims a write at a time that is known, and of which nothing was known. */
  private contradicts(kv: IKeyValue): boolean {
    if (BigInt(kv.mod_revision) > this.applied) return false;
    return this.entries.get(this.nameOf(kv))?.version !== kv.mod_revision;
  }

  private nameOf(kv: IKeyValue): string {
    return kv.key.toString('utf8').slice(this.prefix.length + 1);
  }
}

function entryOf(kv: IKeyValue, origin: string): RawEntry {
  return { raw: textOrBytes(kv.value), version: kv.mod_revision, origin };
}

function textOrBytes(value: Buffer): RawValue {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(value);
  } catch {
    return value;
  }
}

function sameVersions(one: ReadonlyMap<string, RawEntry>, other: ReadonlyMap<string, RawEntry>): boolean {
  return one.size === other.size && [...one].every(([name, { version }]) => other.get(name)?.version === version);
}
