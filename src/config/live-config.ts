import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger, type OnApplicationShutdown, type BeforeApplicationShutdown } from '@nestjs/common';
import type { ConfigDocument, ConfigSource, SourceName } from './config-source.js';
import {
  differenceOf,
  isForFleet,
  isLater,
  newestOrigin,
  type Candidate,
  type FleetSetting,
} from './fleet-settings.js';
import { liveKeyNamed, LIVE_KEYS, type LiveKey, type LiveValue, type ShownValue } from './live-keys.js';
import { LiveLayer } from './live-layer.js';
import { describeKey, describeLive, type LiveKeyReport, type LiveReport } from './live-report.js';
import { SANDBOX, type LiveChange, type LiveSettings } from './live-settings.js';

/** What is one thing for all replicas, kept with the schedule. */
export const FLEET_WIDE: readonly string[] = [
  'auto_sending',
  'scheduler_interval',
  'scheduler_queue_capacity',
  'scheduler_workers',
];

// How long the start waits for a source that is out of reach; the service then runs on what the others say.
const FIRST_READ_MS = 3000;

/** What a key's value is, and who said so. */
export interface EffectiveValue {
  readonly value: LiveValue;
  readonly source: SourceName | 'fleet' | 'default';
  readonly version: string | null;
  readonly origin: string;
  /**
   * Why the sources of this process do not tell it, null when they do. The value is then the fleet's last good one, or
   * what is safe, and decides nothing for others.
   */
  readonly unknown: string | null;
}

export interface QueueLimits {
  readonly capacity: number;
  readonly workers: number;
}

/** The built-in receiver of `local`. */
export interface Sandbox {
  readonly url: string;
  /** Whether it is meant while no `webhook_url` is set; otherwise it must be asked for by name. */
  readonly byDefault: boolean;
}

/**
 * The live settings in force. Read `current` at the point of use and keep no copy.
 * Per key, an earlier source counts before a later one, and each before the default; a value that does not fit
 * leaves the last good one of its source in force. One document is one change: no reader sees half of it.
 * A key is unknown while a source that counts before any good value of it has not been read, or holds a refused value
 * and never had a good one: unknown is not the default.
 */
@Injectable()
export class LiveConfig implements BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly logger = new Logger(LiveConfig.name);
  private readonly layers: readonly LiveLayer[];
  private readonly listeners = new Set<(change: LiveChange) => void>();
  private readonly stopping = new AbortController();
  private sandbox: Sandbox | null = null;
  private fleet: ReadonlyMap<string, FleetSetting> = new Map();
  /** What a key was when it was last known: a value that is refused from then on changes nothing. */
  private readonly lastKnown = new Map<LiveKey, EffectiveValue>();
  private started = false;
  private reads = 0;
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

  /** Grows whenever a source was read or the fleet's settings came; while it stays, nothing here says anything new. */
  get generation(): number {
    return this.reads;
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
      if (version === null)
        this.logger.warn(
          `${source.name} could not be read yet; it will count as soon as it is. What it may hold is unknown until then, and decides nothing`,
        );
    }
    const lines = LIVE_KEYS.map((key) => {
      const { source, unknown } = this.effective(key);
      return `${key.name}=${JSON.stringify(this.shown(key))} (${unknown === null ? source : 'unknown'})`;
    });
    this.logger.log(`live settings in force: ${lines.join(', ')}`);
  }

  /**
   * Calls `listener` at once, in the same turn, after every change of a value in force, and with no keys when a source
   * was read anew and none differs. Returns the unsubscription. A listener that throws is logged and harms nobody.
   */
  onChange(listener: (change: LiveChange) => void): () => void {
    const own = (change: LiveChange): void => listener(change);
    this.listeners.add(own);
    return () => this.listeners.delete(own);
  }

  /** Why there is no `webhookUrl` to send to, with what to do; null when there is one. */
  get sendingObstacle(): string | null {
    const [url, ...others] = ['webhook_url', 'webhook_auth_key', 'webhook_signing_secrets'].map((name) => ({
      name,
      ...this.effective(keyNamed(name)),
    }));
    for (const { name, unknown } of url === undefined ? [] : [url, ...others]) {
      if (unknown !== null) return `${name} is unknown, so nothing is sent: ${unknown}; nothing is sent on a guess`;
    }
    if (this.snapshot.webhookUrl !== null) return null;
    if (url?.value === SANDBOX) return 'webhook_url is sandbox, which only APP_ENV=local has, so nothing is sent';
    return 'webhook_url is not set, so nothing is sent; set it in etcd or in dynamic_config.yaml';
  }

  /** Provides what `webhook_url: sandbox` means. */
  setSandbox(sandbox: Sandbox): void {
    this.sandbox = sandbox;
    this.publish();
  }

  /** Takes over what the fleet last agreed on, for the keys that the sources of this process do not tell. */
  setFleet(settings: readonly FleetSetting[]): void {
    this.fleet = new Map(settings.map((setting) => [setting.key, setting]));
    this.publish();
  }

  /** Has the sources that can be asked read once more. Subscribers are told when one was. */
  readAgain(): void {
    for (const { source } of this.layers) source.readAgain?.();
  }

  get fleetSettings(): readonly FleetSetting[] {
    return [...this.fleet.values()];
  }

  /** What the fleet last agreed on, as far as this process knows. */
  fleetSetting(name: string): FleetSetting | null {
    return this.fleet.get(name) ?? null;
  }

  /** Whether the sources of this process tell the key, or the fleet does. */
  isDecided(name: string): boolean {
    const { unknown, source } = this.effective(keyNamed(name));
    return unknown === null || source === 'fleet';
  }

  /** What the sources of this process say of a key, for the fleet; null when they do not tell it. */
  candidate(name: string): Omit<Candidate, 'changedHere' | 'otherHistory'> | null {
    const key = keyNamed(name);
    const { value, source, version, origin, unknown } = this.own(key);
    if (unknown !== null || source === 'fleet') return null;
    const etcd = this.layers.find((layer) => layer.source.name === 'etcd');
    const file = this.layers.find((layer) => layer.source.name === 'file');
    const fileChangedAt = Date.parse(file?.version ?? '');
    return {
      key: name,
      value: key.show(value),
      source,
      origin,
      version: version ?? '',
      etcd: etcd?.history ?? null,
      etcdConfigured: etcd !== undefined,
      fleetOrigin: newestOrigin(this.fleetSettings),
      fileChangedAt: Number.isNaN(fileChangedAt) ? null : fileChangedAt,
      filePlacedAt: file?.placedAt ?? null,
    };
  }

  /** What an operator should know of the settings where nothing is sent, or not as this replica's sources say. */
  get notes(): readonly string[] {
    const unknown = ['auto_sending', 'scheduler_interval'].flatMap((name) => {
      const why = this.effective(keyNamed(name)).unknown;
      return why === null
        ? []
        : [
            `${name} is unknown: ${why}; ${this.fleet.has(name) ? "the fleet's last value stays" : 'sending does not begin by itself'}`,
          ];
    });
    return [this.sendingObstacle, ...unknown, ...FLEET_WIDE.map((name) => this.difference(name))].filter(
      (note) => note !== null,
    );
  }

  /** How many jobs may wait and run in the fleet, which is one thing for all replicas. */
  get queueLimits(): QueueLimits {
    const ofFleet = (name: string) => this.fleetSetting(name)?.value;
    const [capacity, workers] = [ofFleet('scheduler_queue_capacity'), ofFleet('scheduler_workers')];
    return {
      capacity: typeof capacity === 'number' ? capacity : this.snapshot.schedulerQueueCapacity,
      workers: typeof workers === 'number' ? workers : this.snapshot.schedulerWorkers,
    };
  }

  /** Why this replica's own value is not what the fleet agreed on; null when it is. */
  difference(name: string): string | null {
    return differenceOf(this.candidate(name), this.fleetSetting(name), FLEET_WIDE.includes(name));
  }

  /** The value in force of each key with its source, what is refused and why, and how the sources do. No secrets. */
  describe(): LiveReport {
    return describeLive(this.layers, (key) => this.describeKey(key), this.complete);
  }

  /** The part of `describe` that is about one key. */
  describeKey(key: LiveKey): LiveKeyReport {
    const { name } = key;
    return describeKey(this.layers, key, this.effective(key), this.fleetSetting(name), this.difference(name));
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
    try {
      for (const warning of layer.apply(document)) this.logger.warn(warning);
      // Also when no value differs: the same value in a new version may be news for the fleet.
      if (!this.publish()) this.tellAll(this.snapshot, this.snapshot, []);
    } catch (error) {
      // Out of here it would end the process, and every other one that reads the same.
      this.logger.error(
        { err: error },
        `${layer.source.name} holds what this service cannot take; the last good values stay`,
      );
    }
  }

  /** Makes what the layers say the snapshot. Returns whether that changed anything. */
  private publish(): boolean {
    this.reads += 1;
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

  /** What the sources of this process say; of `on_uncertain` the more careful of that and what the fleet holds. */
  private effective(key: LiveKey): EffectiveValue {
    const own = this.own(key);
    if (key.field !== 'onUncertain' || own.value !== 'resend') return own;
    const held = this.fleetSetting(key.name);
    if (held?.value !== 'hold') return own;
    // A put that was made since counts at once; all else when a turn has found it to be news for the fleet.
    const isPut =
      own.source === 'etcd' &&
      (held.source !== 'etcd' || (held.origin === own.origin && isLater(own.version ?? '', held.version)));
    if (isPut) return own;
    return { ...own, value: 'hold', source: 'fleet', version: held.version || null, origin: held.origin };
  }

  private own(key: LiveKey): EffectiveValue {
    let unknown: string | null = null;
    for (const layer of this.layers) {
      unknown ??= layer.unknown(key);
      const good = layer.goodValue(key);
      if (good === undefined) continue;
      if (unknown === null) return { ...good, source: layer.source.name, unknown };
      return (
        this.lastKnown.get(key) ??
        this.ofFleet(key, unknown) ??
        safe(key, { ...good, source: layer.source.name, unknown })
      );
    }
    const fallback = { value: key.fallback, source: 'default', version: null, origin: '', unknown } as const;
    if (unknown === null) return fallback;
    return this.lastKnown.get(key) ?? this.ofFleet(key, unknown) ?? safe(key, fallback);
  }

  private ofFleet(key: LiveKey, unknown: string): EffectiveValue | null {
    const held = isForFleet(key) ? this.fleetSetting(key.name) : null;
    const parsed = held === null ? null : key.parse(JSON.stringify(held.value));
    if (held === null || !parsed?.ok) return null;
    return { value: parsed.value, source: 'fleet', version: held.version || null, origin: held.origin, unknown };
  }

  private compose(): LiveSettings {
    const effective = new Map(LIVE_KEYS.map((key) => [key.field, this.effective(key)]));
    for (const key of LIVE_KEYS) {
      const value = this.own(key);
      if (value.unknown === null) this.lastKnown.set(key, value);
    }
    const values = Object.fromEntries([...effective].map(([field, { value }]) => [field, value]));
    // A request without its key or signature would be refused, and one to a place that may have moved is worse.
    const isUnknown = TO_SEND.some((field) => (effective.get(field)?.unknown ?? null) !== null);
    const { webhookUrl } = values;
    const byName = webhookUrl === SANDBOX || (webhookUrl === null && this.sandbox?.byDefault === true);
    if (isUnknown) values['webhookUrl'] = null;
    else if (byName) values['webhookUrl'] = this.sandbox?.url ?? null;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each key's schema has the type of its field
    return Object.freeze(values) as unknown as LiveSettings;
  }
}

const TO_SEND = ['webhookUrl', 'webhookAuthKey', 'webhookSigningSecrets'] as const;

/** What a value that is unknown to the fleet as well counts as: nothing may be sent twice, and nothing to a guessed place. */
function safe(key: LiveKey, guess: EffectiveValue): EffectiveValue {
  if (key.field === 'onUncertain') return { ...guess, value: 'hold', source: 'default', version: null };
  if (key.field === 'webhookUrl') return { ...guess, value: null, source: 'default', version: null };
  return guess;
}

function keyNamed(name: string): LiveKey {
  const key = liveKeyNamed(name);
  if (key === undefined) throw new Error(`${name} is not a live setting`);
  return key;
}

function equal(one: unknown, other: unknown): boolean {
  return Object.is(one, other) || (Array.isArray(one) && JSON.stringify(one) === JSON.stringify(other));
}
