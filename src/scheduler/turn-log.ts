import { Logger } from '@nestjs/common';
import { refusalOf } from '../database-fault.js';
import type { Plan } from './plan.js';
import type { Sighting } from './schedule-store.js';
import { turnFaultOf } from './turn-fault.js';

/** With shorter intervals the next slot is told by the log before anybody reads it. */
const SHOWN_FROM_MS = 10_000;

/** What the log says of the scheduler's turns: each change of state once, and nothing in between. */
export class TurnLog {
  private readonly logger = new Logger('Scheduler');
  private running: boolean | 'unknown' | null = null;
  private overflowing = false;
  private failsBecause: string | null = null;

  /** Why the last turn failed; null when it did not. */
  get turnsFailBecause(): string | null {
    return this.failsBecause;
  }

  /** Call it after every turn that was written or needed no writing. */
  turned(seen: Sighting, plan: Plan, whyNotBegun: () => string | null): void {
    const { running, nextSlotAt, intervalMs } = plan.schedule;
    // Said once more when it becomes known that it stays so.
    const state = running || plan.autoSending !== null ? running : 'unknown';
    if (state !== this.running) {
      if (running) {
        const at = new Date(nextSlotAt).toISOString();
        this.logger.log(`sending runs, a slot every ${intervalMs / 1000} s; the next one is at ${at}`);
      } else if (plan.autoSending === null) {
        this.logger.warn(`sending has not begun: ${whyNotBegun() ?? 'no replica knows its settings yet'}`);
      } else {
        const by = seen.schedule.running ? 'auto_sending' : (seen.changedBy ?? 'auto_sending');
        const since = seen.changedAt.toISOString();
        this.logger.log(`sending is stopped since ${since} by ${by}; POST /start resumes it`);
      }
      this.running = state;
    }
    if (plan.ended !== null && plan.ended.sent + plan.ended.notSent > 0 && running && intervalMs >= SHOWN_FROM_MS) {
      this.logger.log(`the next slot is at ${new Date(nextSlotAt).toISOString()}`);
    }
    if (plan.overflow > 0 && !this.overflowing) {
      this.logger.warn(
        `the queue of jobs is full: ${plan.overflow} slots found no room; messages wait longer, none is lost. ` +
          `Slots are shorter than jobs: raise scheduler_interval or webhook_concurrency`,
      );
    }
    if (plan.overflow > 0) this.overflowing = true;
    else if (plan.slots.length > 0) this.overflowing = false;
  }

  clockSetBack(shiftMs: number): void {
    this.logger.warn(
      `the database's clock was set back by ${Math.round(shiftMs)} ms; the schedule moves along with it`,
    );
  }

  /** Says what failed once per change of its text. */
  failed(error: unknown): void {
    const { text, passes } = turnFaultOf(error);
    if (text === this.failsBecause) return;
    this.failsBecause = text;
    if (passes) this.logger.warn({ err: error }, `${text}; trying again until it is back`);
    else if (refusalOf(error).sqlstate === null) this.logger.error({ err: error }, `${text}; trying again`);
    // The text of PostgreSQL's error may show values of a row.
    else this.logger.error(`${text}; no job begins until that is mended; trying again`);
  }

  /** Call it after every turn that did not fail. */
  recovered(): void {
    if (this.failsBecause !== null) this.logger.log('the schedule is within reach again');
    this.failsBecause = null;
  }
}
