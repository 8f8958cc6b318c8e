import type { Logger } from 'pino';

/** An orchestrator kills what has not ended 15 s after SIGTERM; half a second is left for the last words. */
const DEADLINE_MS = 14_500;

interface Step {
  readonly name: string;
  readonly stop: () => Promise<void>;
}

/**
 * How the process ends. SIGTERM or SIGINT: everything that was added is stopped, the latest first, and the exit code is 0
 * within 15 s, whatever hangs. A second signal: exit code 1 at once. An exception that nobody caught: exit code 1.
 */
export class ProcessExit {
  private readonly steps: Step[] = [];
  private ending: Promise<void> | null = null;

  constructor(
    private readonly logger: Logger,
    private readonly deadlineMs = DEADLINE_MS,
  ) {}

  /** Takes over the process's signals and last resorts. */
  install(): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.onSignal(signal));
    process.on('uncaughtException', (error) => {
      this.logger.fatal({ err: error }, 'An exception that nobody caught ends the process');
      process.exit(1);
    });
    process.on('unhandledRejection', (reason) => {
      this.logger.error({ err: reason }, 'A promise was rejected and nobody listened; the service goes on');
    });
  }

  /** From now on `stop` is part of ending the process; `name` is what the log calls it when it hangs. */
  add(name: string, stop: () => Promise<void>): void {
    this.steps.push({ name, stop });
  }

  /** Stops everything, the latest first; a step that fails is logged and keeps none from being stopped. Runs once. */
  stopAll(): Promise<void> {
    this.ending ??= this.stopInTurn();
    return this.ending;
  }

  private onSignal(signal: NodeJS.Signals): void {
    if (this.ending !== null) {
      this.logger.warn(`${signal} again: the process ends at once`);
      process.exit(1);
    }
    this.logger.info(`${signal}: finishing what is under way, then the process ends`);
    setTimeout(() => this.giveUp(), this.deadlineMs);
    void this.stopAll().then(() => {
      this.logger.info('Stopped');
      process.exit(0);
    });
  }

  private async stopInTurn(): Promise<void> {
    for (let step = this.steps.at(-1); step !== undefined; step = this.steps.at(-1)) {
      try {
        await step.stop();
      } catch (error) {
        this.logger.error({ err: error }, `Stopping ${step.name} failed`);
      }
      this.steps.pop();
    }
  }

  private giveUp(): void {
    const hanging = this.steps.at(-1)?.name ?? 'the process';
    const open = [...new Set(process.getActiveResourcesInfo())].join(', ');
    this.logger.error(
      `Stopping ${hanging} took longer than ${this.deadlineMs} ms; still open: ${open}. The process ends`,
    );
    process.exit(0);
  }
}
