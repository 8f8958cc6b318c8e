import { Injectable, Logger, Optional } from '@nestjs/common';
import { FileMemory, type RememberedFile } from './file-memory.js';
import { isForFleet, isLater, isNews, sameValue, type Candidate, type FleetSetting } from './fleet-settings.js';
import { FLEET_WIDE, LiveConfig } from './live-config.js';
import { LIVE_KEYS } from './live-keys.js';

/** A setting that this replica brings to the fleet; the database adds when. */
export type BroughtSetting = Omit<FleetSetting, 'setAt'>;

/** One look at what this replica's sources say: what of it is news, and all that was taken into account. */
export interface Consideration {
  readonly brings: readonly BroughtSetting[];
  readonly considered: readonly BroughtSetting[];
}

/**
 * What this replica has to bring to the fleet, and what it knows of the fleet's last good settings. A process that starts
 * blind works with those, and brings nothing; see `isNews`.
 */
@Injectable()
export class FleetAgreement {
  private readonly logger = new Logger('FleetSettings');
  private text: string | null = null;
  /** What this replica last said of each key, once a turn had taken it into account. */
  private readonly settled = new Map<string, BroughtSetting>();
  private consideredAt = -1;
  private settledAt = -1;
  /** Since when this process has known what the fleet holds of each key, on the monotonic clock. */
  private readonly heldSince = new Map<string, { readonly held: string; readonly at: number }>();
  private readonly warned = new Map<string, string>();

  /** What this replica's file said before this process began. */
  private remembered: RememberedFile | null = null;

  constructor(
    private readonly live: LiveConfig,
    @Optional() private readonly files?: FileMemory,
  ) {}

  /** Call it once, before anything is considered: a file that only was touched since says nothing new. */
  async recall(): Promise<void> {
    this.remembered = (await this.files?.recall()) ?? null;
  }

  /** Takes over what the database holds: a JSON list of `FleetSetting`. */
  take(text: string): void {
    if (text === this.text) return;
    this.text = text;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the query builds it
    const settings = JSON.parse(text) as FleetSetting[];
    const now = performance.now();
    for (const setting of settings) {
      const held = JSON.stringify(setting);
      if (this.heldSince.get(setting.key)?.held !== held) this.heldSince.set(setting.key, { held, at: now });
    }
    this.live.setFleet(settings);
    // Either this replica has not read so far yet, or etcd was replaced: only a fresh read tells.
    if (KEYS.some((name) => this.isBehind(name))) this.live.readAgain();
  }

  /** Finds what is news for the fleet. `stoppedAt`: an operator stopped then, which no older file undoes. */
  consider(stoppedAt: number | null): Consideration {
    // Most turns: nothing was read, here or from the fleet, since the last one was settled.
    if (this.settledAt === this.live.generation) return NOTHING;
    this.consideredAt = this.live.generation;
    const candidates = KEYS.flatMap((name) => this.candidateFor(name) ?? []);
    const news = candidates.filter((candidate) => {
      const held = this.live.fleetSetting(candidate.key);
      const notBefore = candidate.key === 'auto_sending' ? (stoppedAt ?? 0) : 0;
      return !isHeld(candidate, held) && isNews(candidate, held, notBefore);
    });
    // What a fresh read has to tell about is looked at once more after it.
    const judged = candidates.filter(({ key, otherHistory }) => otherHistory || !this.isBehind(key));
    return { brings: news.map(broughtOf), considered: judged.map(broughtOf) };
  }

  /** Call it when what was to be brought is written, `at` a time of the database's clock: from then on only a change is news. */
  settle({ brings, considered }: Consideration, at: number): void {
    if (this.settledAt === this.live.generation) return;
    for (const setting of considered) this.settled.set(setting.key, setting);
    this.settledAt = this.consideredAt;
    const inFile = [...this.settled.values()].filter(({ source }) => source === 'file');
    void this.files?.remember(Object.fromEntries(inFile.map(({ key, value }) => [key, value])));
    if (brings.length > 0) {
      this.text = null;
      const written = new Map(this.live.fleetSettings.map((setting) => [setting.key, setting]));
      for (const setting of brings) written.set(setting.key, { ...setting, setAt: at });
      this.live.setFleet([...written.values()]);
    }
    for (const name of FLEET_WIDE) this.warnOfDifference(name);
  }

  private candidateFor(name: string): Candidate | null {
    const candidate = this.live.candidate(name);
    if (candidate === null) return null;
    const before = this.settled.get(name);
    // A file that was only touched says nothing new; a value that was put into etcd once more does.
    const changedHere =
      before !== undefined &&
      (before.source !== candidate.source ||
        !sameValue(before.value, candidate.value) ||
        (candidate.source === 'etcd' && (before.version !== candidate.version || before.origin !== candidate.origin)));
    return {
      ...candidate,
      changedHere,
      otherHistory: this.isBehind(name) && (candidate.etcd?.readAskedAt ?? -Infinity) > this.knownSince(name),
      fileChangedAt: before === undefined ? this.changedAt(candidate) : null,
    };
  }

  /**
   * When the file came to say this, as far as a start can tell: after it, clocks that differ would let an old file win. Content
   * decides, where it is known: the same one was only touched, and another one is news from when it was put there, though its
   * own time may be that of an older file.
   */
  private changedAt({ key, value, source, fileChangedAt, filePlacedAt }: LiveCandidate): number | null {
    const before = this.remembered?.settings[key];
    if (source !== 'file' || before === undefined) return fileChangedAt;
    if (sameValue(before, value)) return null;
    return this.remembered?.isOwn === true ? (filePlacedAt ?? fileChangedAt) : fileChangedAt;
  }

  /** Whether the fleet holds a later revision of this replica's etcd than this replica has read. */
  private isBehind(name: string): boolean {
    const held = this.live.fleetSetting(name);
    const candidate = this.live.candidate(name);
    if (held?.source !== 'etcd' || candidate?.etcd?.origin !== held.origin) return false;
    if (candidate.source !== 'etcd') return isLater(held.version, candidate.etcd.version);
    if (candidate.origin !== held.origin) return false;
    if (candidate.version === held.version) return !sameValue(candidate.value, held.value);
    return isLater(held.version, candidate.version);
  }

  private knownSince(name: string): number {
    return this.heldSince.get(name)?.at ?? Infinity;
  }

  private warnOfDifference(name: string): void {
    const difference = this.live.difference(name);
    if (difference === this.warned.get(name)) return;
    if (difference === null) this.warned.delete(name);
    else {
      this.warned.set(name, difference);
      this.logger.warn(difference);
    }
  }
}

type LiveCandidate = Omit<Candidate, 'changedHere' | 'otherHistory'>;

const NOTHING: Consideration = { brings: [], considered: [] };

const KEYS = LIVE_KEYS.filter(isForFleet).map(({ name }) => name);

function broughtOf({ key, value, source, origin, version }: BroughtSetting): BroughtSetting {
  return { key, value, source, origin, version };
}

function isHeld(candidate: Candidate, held: FleetSetting | null): boolean {
  return (
    held !== null &&
    sameValue(candidate.value, held.value) &&
    candidate.source === held.source &&
    candidate.origin === held.origin &&
    candidate.version === held.version
  );
}
