import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { LiveConfig } from '../config/live-config.js';
import { databaseFaultOf, refusalOf } from '../database-fault.js';
import { SetBackPauses } from '../messages/set-back-pauses.js';
import { WakeSignal } from '../scheduler/wake-signal.js';
import { BatchSize } from '../batch-size.js';
import { OutcomeRetry } from './outcome-retry.js';
import { longestPauseMs } from './retry-policy.js';

const ROWS = 500;
/** A batch aims at this, and as long as it took is rested: jobs write the same rows. */
const TARGET_MS = 250;
/** While another replica is at it, or PostgreSQL is unreachable. */
const AGAIN_AFTER_MS = 5_000;

/** After the clock of PostgreSQL was set back, messages wait as long as they were to, and not longer by that jump. */
@Injectable()
export class ClockFollower implements BeforeApplicationShutdown {
  private readonly logger = new Logger('Dispatch');
  private readonly size = new BatchSize(ROWS, TARGET_MS);
  private readonly alarm = new WakeSignal();
  private under: Promise<void> | null = null;
  private isAsked = false;
  private closing = false;

  constructor(
    private readonly pauses: SetBackPauses,
    private readonly live: LiveConfig,
    private readonly retry: OutcomeRetry,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    this.closing = true;
    this.alarm.wake();
    await this.under;
  }

  /** The clock may have been set back: whatever that concerns is gone through in the background. */
  follow(): void {
    this.isAsked = true;
    if (this.closing) return;
    this.under ??= this.goThrough().finally(() => (this.under = null));
  }

  private async goThrough(): Promise<void> {
    let shortened = 0;
    while (this.isAsked && !this.closing) {
      this.isAsked = false;
      let told: string | null = null;
      for (let isLeft = true; isLeft && !this.closing;) {
        const startedAt = performance.now();
        try {
          const step = await this.step();
          shortened += step.shortened;
          isLeft = step.left;
          const restMs = step.setBackMs === null ? AGAIN_AFTER_MS : performance.now() - startedAt;
          if (isLeft) await this.alarm.waitUntil(performance.now() + restMs);
        } catch (error) {
          const { text } = refusalOf(error);
          if (told !== text && databaseFaultOf(error) !== 'outage') {
            this.logger.warn(`The clock of PostgreSQL was set back, and pauses cannot be shortened: ${text}`);
          }
          told = text;
          await this.alarm.waitUntil(performance.now() + AGAIN_AFTER_MS);
        }
      }
    }
    if (shortened === 0) return;
    this.logger.log(
      `The clock of PostgreSQL was set back: the pauses of ${shortened} messages are shortened by as much`,
    );
  }

  /** Fewer at once where one is refused or slow; one that is refused alone keeps its pause. */
  private async step() {
    const { rows } = this.size;
    const longestMs = longestPauseMs(this.live.current);
    const startedAt = performance.now();
    try {
      const step = await this.pauses.shorten(rows, longestMs, false);
      this.size.succeeded(Math.max(1, step.seen), performance.now() - startedAt);
      // A last look, which finds nothing left, deletes nothing any more.
      if (!step.left) await this.tryOutcomesAgain();
      return step;
    } catch (error) {
      const fault = databaseFaultOf(error);
      if (fault === 'outage' || fault === 'denied') throw error;
      this.size.timedOut(fault === 'slow' ? 1 : rows);
      return rows > 1 ? GO_ON : await this.pauses.shorten(1, longestMs, true);
    }
  }

  private async tryOutcomesAgain(): Promise<void> {
    while (await this.pauses.tryOutcomesAgain());
    this.retry.jobBegins();
  }
}

const GO_ON = { left: true, setBackMs: 0, seen: 0, shortened: 0 };
