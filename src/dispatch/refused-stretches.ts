import type { ClaimKey } from '../messages/message-claims.js';
import type { RefusedClaim, RefusedClaims, RefusedKind, SlicePlace } from '../messages/refused-claims.js';
import type { LockedStretches } from './claim-cursor.js';

/** A message that takes longer is set aside, and tried again soon. */
const SLOW_AFTER_MS = 300;
/** The longest that a job spends on it beside its other work. */
const SHARE_MS = 1_000;
const SHARE = 1 / 4;

interface Stretch {
  at: SlicePlace | null;
  readonly end: SlicePlace;
  readonly validOnly: boolean;
}

/**
 * Stretches of messages that PostgreSQL refuses to have claimed, as far as samples tell. Claims begin behind them, and they are
 * gone through beside the jobs: those that are refused are set aside in bulk, and where one is not, claims begin there. One for
 * each process.
 */
export class RefusedStretches {
  private readonly under = new Map<RefusedKind, Stretch>();
  private working = false;

  constructor(
    private readonly refused: RefusedClaims,
    private readonly claims: LockedStretches,
    private readonly notice: (refused: readonly RefusedClaim[]) => void,
  ) {}

  /** Whether some are not gone through yet. */
  get isUnderWay(): boolean {
    return this.under.size > 0;
  }

  /** Claims begin at `end` from now on. */
  passOver(kind: RefusedKind, begin: SlicePlace | null, end: SlicePlace, validOnly: boolean): void {
    const before = this.under.get(kind);
    this.under.set(kind, { at: before === undefined ? begin : before.at, end, validOnly });
    this.beginAt(kind, end);
  }

  /** Goes through some of it for one job. Returns at once while another one does. */
  async goOn(job: ClaimKey & { mayBegin(): boolean }, intervalMs: number): Promise<void> {
    if (this.working) return;
    this.working = true;
    const until = performance.now() + Math.min(SHARE_MS, intervalMs * SHARE);
    try {
      for (const [kind, stretch] of this.under) {
        while (this.under.get(kind) === stretch && performance.now() < until && job.mayBegin()) {
          await this.step(kind, stretch, job);
        }
      }
    } catch {
      // The claims of the job say what is wrong with PostgreSQL; the next job goes on.
    } finally {
      this.working = false;
    }
  }

  private async step(kind: RefusedKind, stretch: Stretch, job: ClaimKey): Promise<void> {
    const { at, end, validOnly } = stretch;
    const { refused, good, next } = await this.refused.trySlice(kind, job, at, {
      slowAfterMs: SLOW_AFTER_MS,
      validOnly,
    });
    this.notice(refused);
    if (this.under.get(kind) !== stretch) return;
    if (good > 0 || next === null || !isBefore(next, end)) {
      this.under.delete(kind);
      this.beginAt(kind, good > 0 && at !== null && isBefore(at, end) ? at : null);
    } else stretch.at = next;
  }

  private beginAt(kind: RefusedKind, place: SlicePlace | null): void {
    if (kind === 'fresh') this.claims.fresh.beginsAt = place?.[0] ?? null;
    else this.claims.retries.beginsAt = place === null ? null : [place[0], place[1] ?? Number.MIN_SAFE_INTEGER];
  }
}

function isBefore(left: SlicePlace, right: SlicePlace): boolean {
  return left[0] < right[0] || (left[0] === right[0] && (left[1] ?? 0) < (right[1] ?? 0));
}
