import type { SourceHistory, SourceName } from './config-source.js';
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
  readonly etcd: SourceHistory | null;
  /** Whether a read that was asked for later than the fleet's value was known proves that etcd has another history now. */
  readonly otherHistory: boolean;
  readonly etcdConfigured: boolean;
  /** Where the fleet has its newest setting of etcd from; null: it has none. */
  readonly fleetOrigin: string | null;
  /** Milliseconds of the file's clock; null without a file. */
  readonly fileChangedAt: number | null;
  /** When it was written or put in its place, which a copy that keeps a file's time does not hide. */
  readonly filePlacedAt?: number | null;
}

/** Whether the database may keep it and other replicas may know it. */
export function isForFleet(key: LiveKey): boolean {
  // A gateway's token may be part of its address.
  return !key.secret && key.field !== 'webhookUrl';
}

/**
 * Whether a replica may bring `candidate` in the place of what the fleet holds. A change that was seen is news; what is
 * found at a start is news only if it is surely newer: a process that starts may have an old file, or look at the wrong place.
 * A default is no news, unless the key was deleted where the fleet has it from, and was seen to be.
 * `notBefore`: an operator stopped then. A file that is older is not news either, and no default or restored value is.
 */
export function isNews(candidate: Candidate, held: FleetSetting | null, notBefore = 0): boolean {
  if (held === null) return true;
  const { changedHere, etcd, fileChangedAt } = candidate;
  const undoesStop = notBefore > 0 && isCareless(candidate);
  if (candidate.source === 'etcd') {
    if (held.source !== 'etcd') return true;
    if (held.origin !== candidate.origin) return changedHere;
    if (isLater(candidate.version, held.version)) return true;
    if (!candidate.otherHistory || (undoesStop && !changedHere)) return false;
    // A snapshot that was restored is no word of anybody; what is put after it is.
    return !isCareless(candidate) || isLater(candidate.version, etcd?.restoredUpTo ?? '0');
  }
  const isDefault = candidate.source === 'default';
  if (isDefault && (!changedHere || undoesStop)) return false;
  if (candidate.fleetOrigin !== null) {
    // Where others find settings, this replica finds none. Only where etcd was given up may its file say something, by a change.
    if (!candidate.etcdConfigured) return changedHere && !isDefault;
    if (etcd?.origin !== candidate.fleetOrigin) return false;
  }
  // The key was deleted where the fleet has it from.
  if (held.source === 'etcd') {
    if (etcd?.origin !== held.origin || (isCareless(candidate) && !changedHere)) return false;
    return isLater(etcd.version, held.version) || (changedHere && candidate.otherHistory);
  }
  // Removed from a file: nobody said that sending is to begin, or that uncertain messages are to be sent again.
  if (isDefault) return held.source !== 'default' && !isCareless(candidate);
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

/** What must not come about by itself: that sending begins, and that what may have been sent is sent again. */
function isCareless({ key, value }: Pick<Candidate, 'key' | 'value'>): boolean {
  return (key === 'auto_sending' && value === true) || (key === 'on_uncertain' && value === 'resend');
}

export function isLater(one: string, other: string): boolean {
  return /^\d{1,20}$/.test(one) && /^\d{1,20}$/.test(other) && BigInt(one) > BigInt(other);
}

/** Why a replica's own value is not the fleet's, and what to do; null when it is, or when there is nothing to compare. */
export function differenceOf(
  candidate: Omit<Candidate, 'changedHere' | 'otherHistory'> | null,
  held: FleetSetting | null,
  isFleetWide = true,
): string | null {
  if (candidate === null || held === null || sameValue(candidate.value, held.value)) return null;
  const own = `${JSON.stringify(candidate.value)} (${placeOf(candidate)})`;
  const fleet = `${JSON.stringify(held.value)} (${placeOf(held)}, since ${new Date(held.setAt).toISOString()})`;
  if (!isFleetWide) {
    return (
      `${candidate.key} is ${own} on this replica, and the replicas last agreed on ${fleet}: they disagree. Put the value that ` +
      `is meant into etcd, once more if it is there already, and make the files the same`
    );
  }
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
