/**
 * A value as it was found: text; or bytes, where these are not UTF-8; or, from YAML, a list or something nested.
 * Nothing has been judged or converted yet.
 */
export type RawValue = string | Uint8Array | readonly unknown[] | object;

/** A value, and what tells its versions apart: an etcd revision, a file's time. */
export interface RawEntry {
  readonly raw: RawValue;
  readonly version: string;
  /** Of which history the version is one (etcd: cluster and prefix); versions of others cannot be compared with it. */
  readonly origin?: string;
}

/** Everything that a source holds at one instant. A key that is missing here is not set there. */
export interface ConfigDocument {
  readonly entries: ReadonlyMap<string, RawEntry>;
  readonly version: string;
  /** When what holds it was written or put in its place, in milliseconds of its clock; a file's own time may be older. */
  readonly placedAt?: number;
  /** Of which history this is a state, and up to which version of it nothing is missing here. */
  readonly history?: SourceHistory;
}

export interface SourceHistory {
  readonly origin: string;
  readonly version: string;
  /** When the newest full read that is part of this was asked for, in milliseconds of the monotonic clock. */
  readonly readAskedAt?: number;
  /** What has this version or a lower one came with a store that replaced another; nobody was seen putting it. */
  readonly restoredUpTo?: string;
}

export interface SourceStatus {
  /** Whether the source can be read at this time; while not, its last good values count, and are unknown if there are none. */
  readonly connected: boolean;
  /** Since when that is so. */
  readonly since: Date;
  /** What is wrong, for the operator; null when nothing is. Holds no secret. */
  readonly problem: string | null;
}

export type SourceName = 'etcd' | 'file' | 'memory';

/** Where live settings come from: etcd and a watched file in production, memory in tests. */
export abstract class ConfigSource {
  abstract readonly name: SourceName;
  abstract readonly status: SourceStatus;

  /**
   * Hands the whole document to `onDocument` (empty when nothing is set), then again after every change until
   * `signal` aborts: the last one is always the newest, changes that come close together may be handed over as one.
   * Resolves after the first call, or when `signal` aborts; while the source is out of reach, it waits.
   * Never rejects and never gives up: the source looks after its own connection, and what changed during an
   * outage is handed over after it. A document that cannot be read as a whole is not handed over at all, nor is one in its
   * place; where only its author can mend it, this resolves without.
   * One watch at a time.
   */
  abstract watch(onDocument: (document: ConfigDocument) => void, signal: AbortSignal): Promise<void>;

  /** Reads everything again and hands it over, also when nothing differs. Where that cannot help, there is none. */
  readAgain?(): void;

  /** Resolves when everything that the aborted watch held (connections, watchers, timers) is released. */
  abstract stopped(): Promise<void>;
}
