import type { LookFrom, RetryPlace } from '../messages/claim-look.js';
import type { ClaimKey } from '../messages/message-claims.js';
import type { RefusedClaim, RefusedClaims, RefusedKind, SlicePlace } from '../messages/refused-claims.js';
import { CANCELLED } from '../messages/unwritten-outcomes.js';
import type { RefusedStretches } from './refused-stretches.js';

const SLOW_AFTER_MS = 1_500;
/** Where one was found that is slow, others are looked for in less time: what is quick enough is tried again at once. */
const NEXT_SLOW_AFTER_MS = 300;
/** So many messages next to each other tell what a place is like. */
const SAMPLE_ROWS = 3;
const SAMPLE_MS = 100;
/** Where the last ones are refused as well, so many places between are tried for some that are not. */
const PLACES_TRIED = 7;
/** A place is narrowed down by halves, of ids or of microseconds. */
const HALVES_AT_MOST = 60;

/** From where a claim that failed looked, and what it would have taken. */
export interface FailedLook {
  readonly fresh: LookFrom<number>;
  readonly retries: LookFrom<RetryPlace>;
  readonly validOnly: boolean;
}

/**
 * Looks for the messages that PostgreSQL refuses to have claimed, from where a claim failed. Where all of a slice are refused,
 * thousands may be: then it looks for the next ones that are not, by halves, claims go on there, and what lies between is gone
 * through beside the jobs.
 */
export class RefusedSearch {
  private slowAfterMs = SLOW_AFTER_MS;
  /** They are passed over from now on. */
  readonly found: RefusedClaim[] = [];

  constructor(
    private readonly refused: RefusedClaims,
    private readonly stretches: RefusedStretches,
    private readonly job: ClaimKey,
    private readonly look: FailedLook,
    private readonly untilMs: number,
  ) {}

  /** `isSlow`: the claim took too long. What was `found` before an error stays found. */
  async run(isSlow: boolean): Promise<void> {
    const lanes = [
      { kind: 'fresh' as const, at: placeOf(this.look.fresh) },
      { kind: 'retries' as const, at: placeOf(this.look.retries) },
    ].filter(({ at }) => at !== 'ended');
    while (this.isInTime && lanes.length > 0) {
      let isWorthIt = this.found.length === 0;
      for (const lane of lanes.slice()) {
        const from = lane.at === 'ended' ? null : lane.at;
        const slice = await this.try(lane.kind, from);
        const isAllRefused = slice.refused.length > 0 && slice.good === 0;
        const isGivenUp = isSlow && slice.isCut && slice.refused.length === 0;
        const hasPassed = isAllRefused && slice.next !== null && (await this.passOver(lane.kind, from, slice.next));
        // Those that are not refused are claimed before anything behind them is looked at.
        if (slice.next === null || isGivenUp || hasPassed || (slice.good > 0 && slice.refused.length > 0))
          lanes.splice(lanes.indexOf(lane), 1);
        else lane.at = slice.next;
        isWorthIt ||= !hasPassed && (2 * slice.refused.length > slice.tried || slice.isCut);
      }
      if (!isWorthIt) break;
    }
  }

  private get isInTime(): boolean {
    return performance.now() < this.untilMs;
  }

  /** Whether there are some behind `from` that are not refused, so that claims go on there. */
  private async passOver(kind: RefusedKind, begin: SlicePlace | null, from: SlicePlace): Promise<boolean> {
    // What lies there was not tried.
    let bad = from[0] - 1;
    const last = await this.refused.lastPlace(kind);
    if (last === null || last <= bad) return false;
    const found = await this.findGood(kind, bad, last);
    if (found === null) return false;
    let good = found;
    for (let halves = 0; halves < HALVES_AT_MOST && good - bad > 1 && this.isInTime; halves += 1) {
      const middle: number = bad + Math.floor((good - bad) / 2);
      const { isGood, behind } = await this.sample(kind, middle);
      if (isGood || behind === null) good = middle;
      // All of it up to where it is good was tried.
      else if (behind >= good) break;
      else bad = Math.max(middle, behind - 1);
    }
    this.stretches.passOver(
      kind,
      begin,
      kind === 'fresh' ? [good] : [good, Number.MIN_SAFE_INTEGER],
      this.look.validOnly,
    );
    return true;
  }

  private async findGood(kind: RefusedKind, bad: number, last: number): Promise<number | null> {
    for (let tried = 0; tried <= PLACES_TRIED && this.isInTime; tried += 1) {
      const place = tried === 0 ? last : bad + Math.floor((last - bad) * share(tried));
      if ((await this.sample(kind, place)).isGood) return place;
    }
    return null;
  }

  /** Whether one of the next few messages from there on can be claimed, and where they end. */
  private async sample(kind: RefusedKind, place: number): Promise<{ isGood: boolean; behind: number | null }> {
    const { good, next } = await this.try(kind, kind === 'fresh' ? [place] : [place, Number.MIN_SAFE_INTEGER], {
      rows: SAMPLE_ROWS,
      tryMs: SAMPLE_MS,
    });
    return { isGood: good > 0, behind: next?.[0] ?? null };
  }

  private async try(kind: RefusedKind, from: SlicePlace | null, sample: { rows?: number; tryMs?: number } = {}) {
    const { slowAfterMs } = this;
    const wish = { slowAfterMs, validOnly: this.look.validOnly, ...sample };
    const slice = await this.refused.trySlice(kind, this.job, from, wish);
    this.found.push(...slice.refused);
    if (slice.refused.at(-1)?.refusal.sqlstate === CANCELLED) this.slowAfterMs = NEXT_SLOW_AFTER_MS;
    return slice;
  }
}

function placeOf(from: LookFrom<number> | LookFrom<RetryPlace>): SlicePlace | null | 'ended' {
  return typeof from === 'number' ? [from] : from;
}

/** 1/2, 1/4, 3/4, 1/8, 3/8 … */
function share(step: number): number {
  const row = Math.floor(Math.log2(step));
  return (2 * (step - 2 ** row) + 1) / 2 ** (row + 1);
}
