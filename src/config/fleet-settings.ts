import type { SourceName } from './config-source.js';
import type { LiveKey, ShownValue } from './live-keys.js';

/** The values of the fleet, as it last agreed on them; a secret and what may hold one never are among them. */
export interface FleetSetting {
  readonly key: string;
  readonly value: ShownValue;
  readonly source: SourceName | 'default';
  /** Of which history `version` is one; '' where there is none. */
  readonly origin: string;
  readonly version: string;
  /** Milliseconds of the database's clock. */
  readonly setAt: number;
}

/** What a replica's own sources say of a key. */
export interface Candidate extends Omit<FleetSetting, 'setAt'> {
  /** Whether this process saw the source change to it; false for what it found at its start. */
  readonly changedHere: boolean;
  /** How far this replica has read etcd; null: not at all. */
  readonly etcd: { readonly origin: string; readonly version: string } | null;
  readonly etcdConfigured: boolean;
  /** Where the fleet has its newest setting of etcd from; null: it has none. */
  readonly fleetOrigin: string | null;
  /** Milliseconds of the file's clock; null without a file. */
  readonly fileChangedAt: number | null;
}

/** Whether the database may keep it and other replicas may know it. */
export function isForFleet(key: LiveKey): boolean {
  // A gateway's token may be part of its address.
  return !key.secret && key.field !== 'webhookUrl';
}

/**
 * Whether a replica may bring `candidate` in the place of what the fleet holds. A change that was seen is news; what is
 * found at a start is news only if it is surely newer: a process that starts may have an old file, or look at the wrong place.
 * `notBefore`: a file that is older than this is not news either.
 */
export function isNews(candidate: Candidate, held: FleetSetting | null, notBefore = 0): boolean {
  if (held === null) return true;
  const { changedHere, etcd, fileChangedAt } = candidate;
  if (candidate.source === 'etcd') {
    if (held.source !== 'etcd') return true;
    if (held.origin !== candidate.origin) return changedHere;
    return isLater(candidate.version, held.version);
  }
  if (candidate.fleetOrigin !== null) {
    // Where others find settings, this replica finds none. Only where etcd was given up may its file say something, by a change.
    if (!candidate.etcdConfigured) return changedHere;
    if (etcd?.origin !== candidate.fleetOrigin) return false;
  }
  // The key was deleted where the fleet has it from.
  if (held.source === 'etcd') return etcd?.origin === held.origin && isLater(etcd.version, held.version);
  return changedHere || (fileChangedAt !== null && fileChangedAt > Math.max(held.setAt, notBefore));
}

/** Where the newest of these settings that came from etcd came from. */
export function newestOrigin(settings: readonly FleetSetting[]): string | null {
  let newest: FleetSetting | null = null;
  for (const setting of settings) {
    if (setting.source === 'etcd' && (newest === null || setting.setAt > newest.setAt)) newest = setting;
  }
  return newest?.origin ?? null;
}

function isLater(one: string, other: string): boolean {
  return /^\d{1,20}$/.test(one) && /^\d{1,20}$/.test(other) && BigInt(one) > BigInt(other);
}

/** Why a replica's own value is not the fleet's, and what to do; null when it is, or when there is nothing to compare. */
export function differenceOf(
  candidate: Omit<Candidate, 'changedHere'> | null,
  held: FleetSetting | null,
): string | null {
  if (candidate === null || held === null || sameValue(candidate.value, held.value)) return null;
  const own = `${JSON.stringify(candidate.value)} (${placeOf(candidate)})`;
  const fleet = `${JSON.stringify(held.value)} (${placeOf(held)}, since ${new Date(held.setAt).toISOString()})`;
  return (
    `${candidate.key} is ${own} on this replica, and the fleet works with ${fleet}: replicas disagree, and a start changes ` +
    `nothing for the others. Put the value that is meant into etcd, once more if it is there already, and make the files the same`
  );
}

export function sameValue(one: ShownValue, other: ShownValue): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function placeOf({ source, origin, version }: Pick<FleetSetting, 'source' | 'origin' | 'version'>): string {
  const prefix = /\/.*$/.exec(origin)?.[0];
  return [source, prefix && `below ${prefix}`, version && `version ${version}`].filter(Boolean).join(', ');
}
