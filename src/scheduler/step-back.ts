import type { JobReport } from './job.js';

/** A replica that could not do its latest job looks at the next one so much later than others, and each time longer. */
const FIRST_MS = 250;
const GROWTH = 4;
/** A way that is mended is found so late at most, also where the interval is hours: trying costs a request or none. */
const LONGEST_MS = 60_000;
/** While it is not certain that its way is in trouble, no later than this. */
const DOUBTFUL_MS = 1_000;

/**
 * How much later than others a replica takes slots and jobs after runs in which nothing got through. Whoever can send is then
 * always first; where nobody can, each replica tries again after a time that grows up to an interval,
 * a minute at most.
 */
export class StepBack {
  private inVain = 0;
  private isDown = false;

  /** Call it with what each run came to. */
  ended({ way }: Pick<JobReport, 'way'>): void {
    if (way === 'untried') return;
    this.isDown = way === 'down';
    this.inVain = way === 'works' ? 0 : this.inVain + 1;
  }

  /** What was in its way may be mended. */
  forgive(): void {
    this.inVain = 0;
  }

  /** 0: it takes them as soon as it can. */
  handicapMs(intervalMs: number): number {
    if (this.inVain === 0) return 0;
    const ms = FIRST_MS * GROWTH ** (this.inVain - 1);
    return this.isDown ? Math.min(ms, intervalMs, LONGEST_MS) : Math.min(ms, DOUBTFUL_MS, intervalMs / 2);
  }
}
