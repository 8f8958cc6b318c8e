import { isBefore, type ClaimLook, type Looked, type LookFrom, type RetryPlace } from '../messages/claim-look.js';
import type { Claim } from '../messages/message-claims.js';

/** After so long the messages that others had locked are looked at again, one by one. */
const LOCKED_KNOWN_MS = 30_000;

/**
 * Stretches of messages that others have locked, as when a company updates all its rows at once: this replica passes over
 * them once, and later jobs look at their beginning and go on behind them.
 */
export class LockedStretches {
  readonly fresh = new LockedStretch<number>((left, right) => left < right);
  readonly retries = new LockedStretch<RetryPlace>(isBefore);
}

export class LockedStretch<Place> {
  private known: { begin: Place; end: Place; readonly until: number } | null = null;
  private closed = false;
  /** What lies before is not looked at: PostgreSQL refuses it, as far as is known. It is gone through beside the jobs. */
  beginsAt: Place | null = null;

  constructor(private readonly precedes: (left: Place, right: Place) => boolean) {}

  /** Notes that nothing before `place` could be claimed; returns where to go on. */
  passOver(place: Place): Place {
    if (this.known === null || performance.now() > this.known.until) {
      this.known = { begin: place, end: place, until: performance.now() + LOCKED_KNOWN_MS };
      this.closed = false;
    }
    const { begin, end } = this.known;
    if (!this.precedes(place, begin) && this.precedes(place, end)) return end;
    if (this.precedes(place, begin) && !this.closed) this.known.begin = place;
    if (this.precedes(end, place) && !this.closed) this.known.end = place;
    return place;
  }

  /** Messages before `place` could be claimed: a stretch that holds it is free again, and one before it ends before it. */
  claimedBefore(place: Place): void {
    if (this.known === null || this.precedes(place, this.known.begin)) return;
    if (this.precedes(place, this.known.end)) this.known = null;
    else this.closed = true;
  }
}

/** Where a job goes on looking for one kind of messages. A pass goes from the start to the end; one that brings nothing is the last. */
class Pass<Place> {
  private at: Place | null = null;
  private ended = false;
  private brought = false;
  private passesOver = false;

  constructor(private readonly stretch: LockedStretch<Place>) {}

  get from(): LookFrom<Place> {
    return this.ended ? 'ended' : (this.at ?? this.stretch.beginsAt);
  }

  get far(): boolean {
    return this.passesOver && !this.ended;
  }

  advance(looked: Looked<Place> | null, mayEnd: boolean): void {
    if (looked === null) return;
    const { claimed, next } = looked;
    if (claimed > 0) {
      this.brought = true;
      if (next !== null) this.stretch.claimedBefore(next);
    }
    this.passesOver = claimed === 0 && next !== null;
    if (next === null) {
      this.ended = !this.brought && mayEnd;
      this.restart();
    } else this.at = claimed === 0 ? this.stretch.passOver(next) : next;
  }

  /** Looks from the start again: for what was given back, and what others had locked. */
  restart(): void {
    this.at = null;
    this.brought = false;
  }

  reopen(): void {
    this.ended = false;
  }

  end(): void {
    this.ended = true;
  }
}

/**
 * What a job has looked at so far. The end of each kind is looked at once more from the start, for what others had locked
 * meanwhile, before it counts as the end.
 */
export class ClaimCursor {
  private readonly fresh: Pass<number>;
  private readonly retries: Pass<RetryPlace>;

  constructor(stretches: LockedStretches) {
    this.fresh = new Pass(stretches.fresh);
    this.retries = new Pass(stretches.retries);
  }

  get exhausted(): boolean {
    return this.fresh.from === 'ended' && this.retries.from === 'ended';
  }

  get look(): ClaimLook {
    return { fresh: this.fresh.from, retries: this.retries.from, far: this.fresh.far || this.retries.far };
  }

  /** `mayEnd`: whether the claim saw the whole budget; one that did not see what came back on it does not end anything. */
  advance(claim: Pick<Claim, 'fresh' | 'retries' | 'spent'>, mayEnd: boolean): void {
    if (claim.spent) {
      if (mayEnd) [this.fresh, this.retries].forEach((pass) => pass.end());
      return;
    }
    this.fresh.advance(claim.fresh, mayEnd);
    this.retries.advance(claim.retries, mayEnd);
  }

  /** There is budget again, or something was given back. */
  reopen(): void {
    this.fresh.reopen();
    this.retries.reopen();
  }

  restart(): void {
    this.reopen();
    this.fresh.restart();
    this.retries.restart();
  }
}
