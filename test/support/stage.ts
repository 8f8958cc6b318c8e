import { DispatcherProcess, type DispatcherOptions } from './dispatcher-process.js';
import { Receiver } from './receiver.js';
import { TestDatabase } from './test-database.js';

/** One slot's job as the database holds it. Times are milliseconds of the database's clock. */
export interface JobRow {
  readonly id: number;
  readonly state: 'waiting' | 'running' | 'done' | 'dropped';
  /** Which of the job's owners it is, from 1; 0 before the first. */
  readonly fence: number;
  readonly owner: string | null;
  readonly dueAt: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  /** Requests that were made for it, as far as they were written down. */
  readonly attempts: number;
}

export interface ScheduleRow {
  readonly running: boolean;
  readonly lastSlotAt: number | null;
  readonly nextSlotAt: number;
  readonly overflowTotal: number;
  readonly waiting: number;
  /** Jobs that there ever were, but for those that were dropped. */
  readonly kept: number;
  readonly now: number;
}

const ms = (column: string) => `round(extract(epoch FROM ${column}) * 1000)::float8`;

/** A database, a receiver and any number of replicas for one test, and a look at the schedule behind their backs. */
export class Stage {
  private readonly replicas: DispatcherProcess[] = [];

  private constructor(
    readonly database: TestDatabase,
    readonly receiver: Receiver,
  ) {}

  static async set(): Promise<Stage> {
    return new Stage(await TestDatabase.create(), await Receiver.start());
  }

  /** What a replica's file says unless told otherwise: one message each second. */
  live(changes: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
    return { rate_limit: 1, scheduler_interval: 1, webhook_url: this.receiver.url, ...changes };
  }

  async replica(live: Readonly<Record<string, unknown>> = {}, env: DispatcherOptions['env'] = {}) {
    return this.keep(
      await DispatcherProcess.start({ env: { APP_DB_URL: this.database.url, ...env }, live: this.live(live) }),
    );
  }

  /** Another process after `former` ended, with the same files. */
  async successor(former: DispatcherProcess, env: DispatcherOptions['env'] = {}) {
    return this.keep(
      await DispatcherProcess.restart(former.configDir, { env: { APP_DB_URL: this.database.url, ...env } }),
    );
  }

  /** Every job that there ever was, oldest first. */
  async jobs(): Promise<JobRow[]> {
    return await this.database.query<JobRow & Record<string, unknown>>(`
      SELECT id, state, fence % 1000 AS fence, owner, ${ms('due_at')} AS "dueAt", ${ms('started_at')} AS "startedAt",
        ${ms('finished_at')} AS "finishedAt",
        (SELECT count(*) FROM delivery_attempts attempt WHERE attempt.job_id = job.id) AS attempts
      FROM dispatch_jobs job ORDER BY id`);
  }

  async schedule(): Promise<ScheduleRow> {
    const [row] = await this.database.query<ScheduleRow & Record<string, unknown>>(`
      SELECT running, ${ms('last_slot_at')} AS "lastSlotAt", ${ms('next_slot_at')} AS "nextSlotAt",
        overflow_total AS "overflowTotal", ${ms('clock_timestamp()')} AS now,
        (SELECT count(*) FROM dispatch_jobs WHERE state = 'waiting') AS waiting,
        (SELECT count(*) FROM dispatch_jobs WHERE state <> 'dropped') AS kept
      FROM scheduler_state`);
    if (row === undefined) throw new Error('there is no schedule');
    return row;
  }

  /** Makes the schedule look as if so much more time had passed since its last slot; only while no replica runs. */
  async age(byMs: number): Promise<void> {
    await this.database.query(
      `UPDATE scheduler_state SET last_slot_at = last_slot_at - $1 * interval '1 ms',
         next_slot_at = next_slot_at - $1 * interval '1 ms'`,
      [byMs],
    );
  }

  async sentCount(): Promise<number> {
    return await this.database.value<number>(`SELECT count(*) FROM messages WHERE sent_status`);
  }

  async strike(): Promise<void> {
    this.receiver.letGo();
    await Promise.all(this.replicas.map((replica) => replica.dispose()));
    await this.receiver.stop();
    await this.database.drop();
  }

  private keep(replica: DispatcherProcess): DispatcherProcess {
    this.replicas.push(replica);
    return replica;
  }
}

/** From each time to the next. */
export function gaps(times: readonly number[]): number[] {
  return times.slice(1).map((time, index) => time - (times[index] ?? Number.NaN));
}
