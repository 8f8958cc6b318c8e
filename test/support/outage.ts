import type { DispatcherProcess, LogLine } from './dispatcher-process.js';
import { eventually } from './eventually.js';

/** What a heal may take, counted from the end of its cause. */
const HEALS_WITHIN_MS = 10_000;
const ALARMS: readonly string[] = ['warn', 'error', 'fatal'];

/** One trouble of a running service, from its cause to the moment at which nothing is to be seen of it any more. */
export class Outage {
  private readonly firstLine: number;
  private readonly beganAt = performance.now();

  constructor(private readonly app: DispatcherProcess) {
    this.firstLine = app.lines.length;
  }

  /** What was said at level warn or above since the cause began. */
  get alarms(): readonly LogLine[] {
    return this.app.lines.slice(this.firstLine).filter((line) => ALARMS.includes(line['log.level']));
  }

  /** Waits for a line that was written since the cause began. */
  async logged(pattern: RegExp, withinMs = 10_000): Promise<void> {
    await eventually(() => {
      const lines = this.app.lines.slice(this.firstLine).map(({ message }) => message);
      if (!lines.some((line) => pattern.test(line)))
        throw new Error(`nothing like ${pattern} among:\n${lines.join('\n')}`);
    }, withinMs);
  }

  /** Resolves when the cause has lasted so long: time enough for a storm. */
  async lasts(ms: number): Promise<void> {
    await eventually(() => {
      if (performance.now() - this.beganAt < ms) throw new Error(`it has lasted for less than ${ms} ms`);
    }, ms + 1_000);
  }

  /**
   * Ends the cause by `end` and waits until `healed` does not throw, 10 s at most; says how long that took.
   * @throws when the process ended, or when it said more than `mostAlarms` lines at level warn or above since the cause began.
   */
  async ends(end: () => unknown, healed: () => Promise<void>, mostAlarms = 15): Promise<void> {
    await end();
    const endedAt = performance.now();
    await eventually(healed, HEALS_WITHIN_MS);
    const healMs = Math.round(performance.now() - endedAt);
    if (this.app.child.exitCode !== null) throw new Error(`the process ended with ${this.app.child.exitCode}`);
    const { alarms } = this;
    const name = expect.getState().currentTestName ?? '';
    process.stderr.write(`${name}: healed in ${healMs} ms, ${alarms.length} alarms\n`);
    if (alarms.length > mostAlarms) {
      throw new Error(`${alarms.length} alarms:\n${alarms.map(({ message }) => message).join('\n')}`);
    }
  }
}
