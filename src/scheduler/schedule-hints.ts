import { Logger } from '@nestjs/common';
import type { Database, Statement } from '../database.js';
import { refusalOf } from '../database-fault.js';
import { codeOf } from '../described-error.js';

/** The channel on which replicas wake each other. */
export const SCHEDULER_CHANNEL = 'message_dispatcher_scheduler';

/** Jobs that ended are kept for people to look at, about this many at most. */
const JOBS_KEPT = 100_000;
/** Pruning follows once in so many jobs of the fleet: it is a statement of its own. */
const PRUNED_EVERY_JOBS = 64;
const PRUNED_AT_ONCE = 10_000;
/** SQLSTATE `program_limit_exceeded`: the one queue for the notifications of all databases of the server is full. */
const QUEUE_FULL = '54000';

type Hint = 'notify' | 'prune';

/**
 * What goes with a write of the schedule and may never fail it: waking the other replicas, deleting old jobs, and noting
 * who acted. Each trouble is logged once per change of its text, and once when it is over.
 */
export class ScheduleHints {
  private readonly logger = new Logger('Scheduler');
  private readonly troubles = new Map<Hint, string>();

  constructor(private readonly database: Database) {}

  /** Whether a write may notify in its own transaction, which spares a statement; not where it failed for that. */
  get notifiesInWrite(): boolean {
    return !this.troubles.has('notify');
  }

  /** Whether a write failed only because it notifies: then nothing of it was done. */
  failedByNotifying(error: unknown): boolean {
    const failed = codeOf(error) === QUEUE_FULL;
    if (failed) this.notifyFailed(error);
    return failed;
  }

  /** Wakes the other replicas by a statement of its own. Never rejects. */
  async notify(self: string): Promise<void> {
    try {
      // PostgreSQL frees what every listener has read only when somebody notifies or asks for this figure.
      await this.database.query(QUEUE_USAGE);
      await this.database.query(NOTIFY, [SCHEDULER_CHANNEL, self]);
      this.isOver('notify', 'PostgreSQL takes notifications again; the replicas wake each other');
    } catch (error) {
      this.notifyFailed(error);
    }
  }

  /** Deletes old jobs when one of `count` new jobs, the last of which is `newest`, is one by which that is due. Never rejects. */
  async prune(newest: number | null, count: number): Promise<void> {
    if (newest === null || count === 0) return;
    if (Math.floor(newest / PRUNED_EVERY_JOBS) === Math.floor((newest - count) / PRUNED_EVERY_JOBS)) return;
    try {
      await this.database.query(PRUNE, [newest - JOBS_KEPT, PRUNED_AT_ONCE]);
      this.isOver('prune', 'Old jobs are deleted from dispatch_jobs again');
    } catch (error) {
      this.say('prune', error, 'Cannot delete old jobs from dispatch_jobs; the table grows until that works');
    }
  }

  /** The act is in force, and the log is its only record. */
  auditFailed(error: unknown, act: Readonly<Record<string, unknown>>): void {
    this.logger.error(
      { ...act, refusal: refusalOf(error).text },
      'Cannot note an operator’s act in operator_actions; the act is in force, and this line is its only record',
    );
  }

  private notifyFailed(error: unknown): void {
    this.say(
      'notify',
      error,
      'PostgreSQL takes no notifications; nothing else is delayed, but the replicas hear of changes seconds later. ' +
        'If its queue is full, end the session that has LISTENed and keeps a transaction open',
    );
  }

  private say(hint: Hint, error: unknown, text: string): void {
    const { text: reason } = refusalOf(error);
    if (this.troubles.get(hint) !== reason) this.logger.warn({ err: error }, `${text} (${reason})`);
    this.troubles.set(hint, reason);
  }

  private isOver(hint: Hint, text: string): void {
    if (this.troubles.delete(hint)) this.logger.log(text);
  }
}

const QUEUE_USAGE: Statement = { name: 'scheduler.queue-usage', text: 'SELECT pg_notification_queue_usage()' };

const NOTIFY: Statement = { name: 'scheduler.notify', text: 'SELECT pg_notify($1, $2)' };

const PRUNE: Statement = {
  name: 'scheduler.prune',
  text: `
    DELETE FROM dispatch_jobs WHERE id IN (
      SELECT id FROM dispatch_jobs WHERE id < $1 AND state IN ('done', 'dropped') ORDER BY id LIMIT $2)`,
};
