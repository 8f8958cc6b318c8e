/** A request hangs when it takes longer than one to two steps, and a step is at least so long. */
const STEP_MIN_MS = 500;
/** And so many times as long as answers usually take. */
const STEP_PER_ANSWER = 2;
/** So many hanging requests give their place to others although nothing has been accepted meanwhile. */
export const HANGING_IN_SILENCE = 16;

/**
 * A job's requests in flight, and how many of them hang: a number that never answers keeps its place in the window until the
 * time-out otherwise, and the good ones wait for it. Counts only, no timer per request: this is on the hottest path.
 */
export class Flight {
  private young = 0;
  private older = 0;
  private hanging = 0;
  private step = 0;
  private acceptedIn = -Infinity;
  private timer: NodeJS.Timeout | null = null;

  /** `usualAnswerMs`: how long answers take. `onHanging` is called when requests begin to hang. */
  constructor(
    private readonly usualAnswerMs: () => number,
    private readonly onHanging: () => void,
  ) {}

  get size(): number {
    return this.young + this.older + this.hanging;
  }

  /** Those that still have a place in the window. */
  get placesTaken(): number {
    return this.young + this.older + this.hanging - this.placesGivenBack;
  }

  /** Those of which an answer is to be expected soon. */
  get awaited(): number {
    return this.young + this.older;
  }

  /** Returns what `ended` wants to know. */
  began(): number {
    this.young += 1;
    this.timer ??= this.startStep();
    return this.step;
  }

  ended(step: number): void {
    if (step === this.step) this.young -= 1;
    else if (step === this.step - 1) this.older -= 1;
    else this.hanging -= 1;
  }

  accepted(): void {
    this.acceptedIn = this.step;
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  /** Where nothing is accepted any more, all may hang: then only a few more are tried. */
  private get placesGivenBack(): number {
    return this.acceptedIn >= this.step - 1 ? this.hanging : Math.min(this.hanging, HANGING_IN_SILENCE);
  }

  private startStep(): NodeJS.Timeout {
    return setTimeout(() => this.nextStep(), Math.max(STEP_MIN_MS, STEP_PER_ANSWER * this.usualAnswerMs()));
  }

  private nextStep(): void {
    this.timer = null;
    const hangs = this.older > 0;
    this.hanging += this.older;
    this.older = this.young;
    this.young = 0;
    this.step += 1;
    if (this.awaited > 0) this.timer = this.startStep();
    if (hangs) this.onHanging();
  }
}
