import type { SourceName, SourceStatus } from './config-source.js';
import type { FleetSetting } from './fleet-settings.js';
import type { EffectiveValue } from './live-config.js';
import { LIVE_KEYS, type LiveKey, type ShownValue } from './live-keys.js';
import type { LiveLayer } from './live-layer.js';

export interface LiveKeyReport {
  readonly key: string;
  readonly value: ShownValue;
  readonly source: SourceName | 'fleet' | 'default';
  /** Of the value, as its source counts: an etcd revision, a file's time. */
  readonly version: string | null;
  /** Why the sources of this replica do not tell it; null when they do. */
  readonly unknown: string | null;
  /** What all replicas work with, where that is one thing; null where it is not, and before the first boot. */
  readonly fleet: FleetSetting | null;
  /** Why that is not what this replica's sources say; null when it is. */
  readonly difference: string | null;
  /** Values that a source holds and that do not fit. */
  readonly refused: readonly { readonly source: SourceName; readonly version: string; readonly reason: string }[];
}

export interface LiveSourceReport extends SourceStatus {
  readonly name: SourceName;
  /** Of the last document that was read; null when there was none yet. */
  readonly version: string | null;
  readonly unknownKeys: readonly string[];
}

export interface LiveReport {
  /** Whether every source has been read at least once. */
  readonly complete: boolean;
  readonly settings: readonly LiveKeyReport[];
  readonly sources: readonly LiveSourceReport[];
}

/** The live settings for an API: values as the operator writes them, secrets masked. */
export function describeLive(
  layers: readonly LiveLayer[],
  describe: (key: LiveKey) => LiveKeyReport,
  complete: boolean,
): LiveReport {
  return {
    complete,
    settings: LIVE_KEYS.map(describe),
    sources: layers.map(({ source, version, unknownKeys }) => ({
      name: source.name,
      ...source.status,
      version,
      unknownKeys,
    })),
  };
}

export function describeKey(
  layers: readonly LiveLayer[],
  key: LiveKey,
  { value, source, version, unknown }: EffectiveValue,
  fleet: FleetSetting | null,
  difference: string | null,
): LiveKeyReport {
  const refused = layers.flatMap((layer) => {
    const refusal = layer.refusal(key);
    return refusal === undefined
      ? []
      : [{ source: layer.source.name, version: refusal.version, reason: refusal.reason }];
  });
  return { key: key.name, value: key.show(value), source, version, unknown, fleet, difference, refused };
}
