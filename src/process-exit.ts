import { writeSync } from 'node:fs';
import { inspect } from 'node:util';
import type { Logger } from 'pino';

/** An orchestrator kills what has not ended 15 s after SIGTERM; half a second is left for the last words. */
const DEADLINE_MS = 14_500;
/** So much of that time is kept for each step that is still to come, however long one takes. */
const RESERVE_MS = 2_000;
/** The same signal again within this time is the same wish: a terminal signals npm and the service, and npm passes it on. */
const ECHO_MS = 500;
const LINES_BEFORE_LOGGER = 20;

type Level = 'info' | 'warn' | 'error' | 'fatal';
type Said = readonly [level: Level, text: string, error: unknown];

interface Step {
  readonly name: string;
  readonly stop: () => Promise<void>;
}

/**
 * How the process ends. SIGTERM, SIGINT or SIGHUP: everything that was added is stopped, the latest first, each in its own
 * time at most, and the exit code is 0 within 15 s, whatever hangs. A second signal: exit code 1 at once. An exception that
 * nobody caught: exit code 1. Imports nothing but Node's own, so that it is in force before anything else of the process is
 * loaded. What there was no logger for goes to standard error when the process ends.
 */
export class ProcessExit {
  private readonly steps: Step[] = [];
  private ending: Promise<void> | null = null;
  private logger: Pick<Logger, Level> | null = null;
  private unsaid: Said[] = [];
  private first: { readonly signal: NodeJS.Signals; readonly at: number } | null = null;

  constructor(
    private readonly deadlineMs = DEADLINE_MS,
    private readonly reserveMs = RESERVE_MS,
  ) {}

  /** Takes over the process's signals and last resorts. */
  install(): void {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => this.onSignal(signal));
    // Without a listener, Node would open its inspector, through which whoever reaches it runs code.
    process.on('SIGUSR1', () => this.say('warn', 'SIGUSR1 is ignored: the inspector stays closed'));
    process.on('uncaughtException', (error) => {
      this.say('fatal', 'An exception that nobody caught ends the process', error);
      process.exit(1);
    });
    process.on('exit', () => this.tellUnsaid());
    process.on('unhandledRejection', (reason) => {
      this.say('error', 'A promise was rejected and nobody listened; the service goes on', reason);
    });
  }

  /** From now on the process tells what it does here. */
  useLogger(logger: Pick<Logger, Level>): void {
    this.logger = logger;
    for (const said of this.unsaid.splice(0)) this.say(...said);
  }

  /** Whether the process is ending: what is being brought up need not be brought up further. */
  get begun(): boolean {
    return this.ending !== null;
  }

  /** From now on `stop` is part of ending the process; `name` is what the log calls it when it hangs. Also while it ends. */
  add(name: string, stop: () => Promise<void>): void {
    this.steps.push({ name, stop });
  }

  /** Stops everything, the latest first; a step that fails or hangs is logged and keeps none from being stopped. Runs once. */
  stopAll(): Promise<void> {
    this.ending ??= this.stopInTurn(performance.now() + this.deadlineMs);
    return this.ending;
  }

  private onSignal(signal: NodeJS.Signals): void {
    if (this.first !== null) {
      const isEcho = signal === this.first.signal && performance.now() - this.first.at < ECHO_MS;
      // A terminal that closes says so as often as it likes.
      if (isEcho || signal === 'SIGHUP') return;
      this.say('warn', `${signal} again: the process ends at once`);
      process.exit(1);
    }
    this.first = { signal, at: performance.now() };
    this.say('info', `${signal}: finishing what is under way, then the process ends`);
    void this.stopAll().then(() => {
      this.say('info', 'Stopped');
      process.exit(0);
    });
  }

  private async stopInTurn(deadline: number): Promise<void> {
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) {
      const reservedMs = this.steps.length * this.reserveMs;
      await this.stop(step, Math.max(deadline - performance.now() - reservedMs, this.reserveMs / 2));
    }
  }

  private async stop({ name, stop }: Step, withinMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const impatience = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, withinMs, 'late');
    });
    try {
      if ((await Promise.race([stop(), impatience])) === 'late') this.leave(name, withinMs);
    } catch (error) {
      this.say('error', `Stopping ${name} failed`, error);
    } finally {
      clearTimeout(timer);
    }
  }

  private leave(name: string, withinMs: number): void {
    const open = [...new Set(process.getActiveResourcesInfo())].join(', ');
    this.say(
      'error',
      `Stopping ${name} took longer than ${Math.round(withinMs)} ms; still open: ${open}. The process ends without it`,
    );
  }

  /** For an end before there is a logger: a module that cannot be loaded, for one. */
  private tellUnsaid(): void {
    for (const [level, text, error] of this.unsaid.splice(0)) {
      const reason = error === undefined ? '' : `: ${inspect(error)}`;
      try {
        writeSync(2, `${level}: ${text}${reason}\n`);
      } catch {
        // Standard error is closed or full.
      }
    }
  }

  /** Never throws: the last resorts call it. */
  private say(level: Level, text: string, error?: unknown): void {
    if (this.logger === null) {
      if (this.unsaid.length < LINES_BEFORE_LOGGER) this.unsaid.push([level, text, error]);
      return;
    }
    try {
      if (error === undefined) this.logger[level](text);
      else this.logger[level]({ err: error }, text);
    } catch {
      // There is nobody else to tell.
    }
  }
}
