import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger, type OnApplicationShutdown, type BeforeApplicationShutdown } from '@nestjs/common';
import type { ConfigDocument, ConfigSource, SourceName } from './config-source.js';
import { LIVE_KEYS, type LiveKey, type LiveValue, type ShownValue } from './live-keys.js';
import { LiveLayer } from './live-layer.js';
import { describeKey, describeLive, type LiveKeyReport, type LiveReport } from './live-report.js';
import type { LiveChange, LiveSettings } from './live-settings.js';

// How long the start waits for a source that is out of reach; the service then runs on what the others say.
const FIRST_READ_MS = 3000;

/** What a key's value is, and who said so. */
export interface EffectiveValue {
  readonly value: LiveValue;
  readonly source: SourceName | 'default';
  readonly version: string | null;
}

/**
 * The live settings in force. Read `current` at the point of use and keep no copy.
 * Per key, an earlier source counts before a later one, and each before the default; a value that does not fit
 * leaves the last good one of its source in force. One document is one change: no reader sees half of it.
 */
@Injectable()
export class LiveConfig implements BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly logger = new Logger(LiveConfig.name);
  private readonly layers: readonly LiveLayer[];
  private readonly listeners = new Set<(change: LiveChange) => void>();
  private readonly stopping = new AbortController();
  private fallbackWebhookUrl: string | null = null;
  private started = false;
  private snapshot: LiveSettings;

  /** `sources` in the order in which they count. */
  constructor(
    sources: readonly ConfigSource[],
    private readonly firstReadMs = FIRST_READ_MS,
  ) {
    this.layers = sources.map((source) => new LiveLayer(source));
    this.snapshot = this.compose();
  }

  /** One frozen snapshot; a new object after each change. */
  get current(): LiveSettings {
    return this.snapshot;
  }

  /** Whether every configured source has been read at least once; until then `current` may rest on fallbacks. */
  get complete(): boolean {
    return this.layers.every(({ version }) => version !== null);
  }

  /** Reads every source, waiting at most 3 s for one that is out of reach, and follows them until the shutdown. */
  async start(): Promise<void> {
    if (this.started) return;
    const { signal } = this.stopping;
    const reading = Promise.all(
      this.layers.map((layer) => layer.source.watch((document) => this.take(layer, document), signal)),
    );
    const timer = new AbortController();
    await Promise.race([reading, sleep(this.firstReadMs, undefined, { signal: timer.signal }).catch(() => undefined)]);
    timer.abort();
    this.started = true;
    for (const { source, version } of this.layers) {
      if (version === null) this.logger.warn(`${source.name} could not be read yet; it will count as soon as it is`);
    }
    const lines = LIVE_KEYS.map(
      (key) => `${key.name}=${JSON.stringify(this.shown(key))} (${this.effective(key).source})`,
    );
    this.logger.log(`live settings in force: ${lines.join(', ')}`);
  }

  /**
   * Calls `listener` at once, in the same turn, after every change of a value in force, and once, with no keys, when
   * `complete` becomes true without such a change. Returns the unsubscription. A listener that throws is logged and harms nobody.
   */
  onChange(listener: (change: LiveChange) => void): () => void {
    const own = (change: LiveChange): void => listener(change);
    this.listeners.add(own);
    return () => this.listeners.delete(own);
  }

  /** What `webhookUrl` is when no source has one: the built-in receiver of `local`. */
  setFallbackWebhookUrl(url: string | null): void {
    this.fallbackWebhookUrl = url;
    this.publish();
  }

  /** The value in force of each key with its source, what is refused and why, and how the sources do. No secrets. */
  describe(): LiveReport {
    return describeLive(this.layers, (key) => this.effective(key), this.complete);
  }

  /** The part of `describe` that is about one key. */
  describeKey(key: LiveKey): LiveKeyReport {
    return describeKey(this.layers, key, this.effective(key));
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.stop();
  }

  onApplicationShutdown(): Promise<void> {
    return this.stop();
  }

  /** Nothing is read and nobody is called any more; `current` stays as it is. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.listeners.clear();
    await Promise.allSettled(this.layers.map(({ source }) => source.stopped()));
  }

  private take(layer: LiveLayer, document: ConfigDocument): void {
    if (this.stopping.signal.aborted) return;
    const wasComplete = this.complete;
    for (const warning of layer.apply(document)) this.logger.warn(warning);
    const told = this.publish();
    if (!told && !wasComplete && this.complete) this.tellAll(this.snapshot, this.snapshot, []);
  }

  /** Makes what the layers say the snapshot. Returns whether that changed anything. */
  private publish(): boolean {
    const before = this.snapshot;
    const after = this.compose();
    const changed = LIVE_KEYS.filter(({ field }) => !equal(before[field], after[field]));
    if (changed.length === 0) return false;
    this.snapshot = after;
    // Before the start is complete there is nothing to compare with: the settings in force are logged as a whole.
    if (this.started) for (const key of changed) this.logChange(key, before);
    this.tellAll(before, after, changed);
    return true;
  }

  private tellAll(before: LiveSettings, after: LiveSettings, changed: readonly LiveKey[]): void {
    const change: LiveChange = Object.freeze({ before, after, keys: new Set(changed.map(({ field }) => field)) });
    for (const listener of this.listeners) this.tell(listener, change);
  }

  private tell(listener: (change: LiveChange) => void, change: LiveChange): void {
    try {
      listener(change);
    } catch (error) {
      this.logger.error({ err: error }, 'a subscriber to the live settings failed; the others are told all the same');
    }
  }

  private logChange(key: LiveKey, before: LiveSettings): void {
    const { source, version } = this.effective(key);
    const from = JSON.stringify(key.show(before[key.field]));
    const to = JSON.stringify(this.shown(key));
    this.logger.log(`${key.name}: ${from} → ${to} (${source}${version === null ? '' : `, version ${version}`})`);
  }

  private shown(key: LiveKey): ShownValue {
    return key.show(this.effective(key).value);
  }

  private effective(key: LiveKey): EffectiveValue {
    for (const layer of this.layers) {
      const good = layer.goodValue(key);
      if (good !== undefined) return { ...good, source: layer.source.name };
    }
    const fallback = key.field === 'webhookUrl' ? this.fallbackWebhookUrl : key.fallback;
    return { value: fallback, source: 'default', version: null };
  }

  private compose(): LiveSettings {
    const values = Object.fromEntries(LIVE_KEYS.map((key) => [key.field, this.effective(key).value]));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each key's schema has the type of its field
    return Object.freeze(values) as unknown as LiveSettings;
  }
}

function equal(one: unknown, other: unknown): boolean {
  return Object.is(one, other) || (Array.isArray(one) && JSON.stringify(one) === JSON.stringify(other));
}
