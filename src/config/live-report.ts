import type { SourceName, SourceStatus } from './config-source.js';
import type { EffectiveValue } from './live-config.js';
import { LIVE_KEYS, type LiveKey, type ShownValue } from './live-keys.js';
import type { LiveLayer } from './live-layer.js';

export interface LiveKeyReport {
  readonly key: string;
  readonly value: ShownValue;
  readonly source: SourceName | 'default';
  /** Of the value, as its source counts: an etcd revision, a file's time. */
  readonly version: string | null;
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
  effective: (key: LiveKey) => EffectiveValue,
  complete: boolean,
): LiveReport {
  return {
    complete,
    settings: LIVE_KEYS.map((key) => describeKey(layers, key, effective(key))),
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
  { value, source, version }: EffectiveValue,
): LiveKeyReport {
  const refused = layers.flatMap((layer) => {
    const refusal = layer.refusal(key);
    return refusal === undefined
      ? []
      : [{ source: layer.source.name, version: refusal.version, reason: refusal.reason }];
  });
  return { key: key.name, value: key.show(value), source, version, refused };
}
