import { Injectable } from '@nestjs/common';
import { databaseFaultOf } from '../database-fault.js';
import { Database, type Statement, type Statements } from '../database.js';
import { OWNERS_OF_A_JOB } from '../fences.js';
import type { WorkLook } from './job.js';
import type { BegunJob, Observation, Plan } from './plan.js';
import { ScheduleHints, SCHEDULER_CHANNEL } from './schedule-hints.js';
import type { SilentOwner } from './silent-owner.js';

/** Who changed the schedule and why, for people. */
export interface ChangeNote {
  readonly by: string;
  readonly why: string | null;
  /** What an operator did, for `operator_actions`; a change that nobody asked for by a call has none. */
  readonly act?: { readonly action: string; readonly onBehalfOf: string | null };
}

/** The part of a plan that is written. */
export type Write = Pick<Plan, 'schedule' | 'autoSending' | 'slots' | 'begin' | 'ended' | 'dropped' | 'settings'> &
  Partial<Pick<Plan, 'tail'>>;

/** What one replica adds to a plan when it writes it. */
export interface Signature {
  readonly owner: string;
  readonly leaseMs: number;
  readonly budget: number;
  readonly change: ChangeNote | null;
  /** Wakes the other replicas. */
  readonly notify: boolean;
  /** The replica from which the job that begins is taken over. */
  readonly silentOwner?: string | null;
  /** How long a request of the job that begins may take at most. */
  readonly requestLimitMs?: number;
}

/** A job that this replica may run from now on. */
export interface Tenure {
  readonly id: number;
  readonly fence: number;
  readonly dueAt: Date;
  /** How often in a row its run threw or its owner vanished. */
  readonly failures: number;
  /** Whether it makes no more requests: what is left of it is to be settled. */
  readonly tail: boolean;
}

/** An observation with what only the loop needs to know. */
export interface Sighting extends Observation {
  /** `now` with its fraction: slots lie on whole milliseconds, and are met more closely than that. */
  readonly exactNow: number;
  readonly clockEpoch: number;
  readonly postmasterStartedAt: number;
  readonly changedAt: Date;
  readonly changedBy: string | null;
  readonly changedWhy: string | null;
  /** From whom a job was last taken over. */
  readonly silent: SilentOwner | null;
  /** Tells this database from all others. */
  readonly installationId: string;
  /** The live settings that the fleet last agreed on, a JSON list of `FleetSetting`. */
  readonly settings: string;
}

interface StateRow {
  version: number;
  now: number;
  running: boolean;
  auto_sending: boolean | null;
  interval_ms: number;
  last_slot_at: number | null;
  next_slot_at: number;
  overflow_total: number;
  clock_epoch: number;
  changed_at: number;
  changed_by: string | null;
  changed_why: string | null;
  installation_id: string;
  silent_owner: string | null;
  silent_at: number | null;
  silent_limit_ms: number | null;
  postmaster_started_at: number;
  waiting: number;
  oldest_waiting: { id: number; fence: number } | null;
  begun: BegunJob[];
  work: unknown;
  settings: string;
}

/** So long an operator's start or stop waits to be noted, behind a lock on `operator_actions` for example. */
const NOTED_WITHIN_MS = 800;

/** The values of a statement, given the channel on which it notifies. */
type Values = (channel: string | null) => unknown[];

interface AppliedRow {
  applied: boolean;
  /** The last job that was added. */
  newest: number | null;
  id: number | null;
  fence: number;
  due_at: number;
  failures: number;
  tail: boolean;
}

/**
 * The schedule in PostgreSQL. Every change is a compare-and-swap on one version number that covers state and queue, so a
 * decision that was made on what was seen is carried out only if that still holds, and the database's clock is the only one.
 */
@Injectable()
export class ScheduleStore {
  private work: WorkLook = { expression: 'FALSE', values: () => [], exists: () => false };
  private observation = observe(this.work.expression);

  private readonly hints: ScheduleHints;

  constructor(private readonly database: Database) {
    this.hints = new ScheduleHints(database);
  }

  /** Takes what tells whether a job would find anything to do. */
  watchWork(work: WorkLook): void {
    this.work = work;
    this.observation = observe(work.expression);
  }

  /** Reads all that a turn needs, in one query; who only shows it to a caller of the API reads it `via` that one's way. */
  async observe(via: Statements = this.database): Promise<Sighting> {
    const [row] = await via.query<StateRow>(this.observation, this.work.values());
    if (row === undefined) throw new Error('scheduler_state has no row; run the migrations again');
    return {
      version: row.version,
      now: Math.floor(row.now),
      exactNow: row.now,
      schedule: {
        running: row.running,
        intervalMs: row.interval_ms,
        lastSlotAt: row.last_slot_at,
        nextSlotAt: row.next_slot_at,
        waiting: row.waiting,
        overflowTotal: row.overflow_total,
      },
      autoSending: row.auto_sending,
      oldestWaiting: row.oldest_waiting,
      begun: row.begun,
      workExists: this.work.exists(row.work),
      clockEpoch: row.clock_epoch,
      postmasterStartedAt: row.postmaster_started_at,
      changedAt: new Date(row.changed_at),
      changedBy: row.changed_by,
      changedWhy: row.changed_why,
      installationId: row.installation_id,
      settings: row.settings,
      silent:
        row.silent_owner === null || row.silent_at === null
          ? null
          : { owner: row.silent_owner, takenOverAt: row.silent_at, requestLimitMs: row.silent_limit_ms },
    };
  }

  /**
   * Writes a plan if nothing changed since it was made. `applied: false`: something did, look again.
   * `tenure` is the job that begins here, if one does. Neither a full queue of notifications nor an operator's act that cannot
   * be noted fails it.
   */
  async apply(
    version: number,
    plan: Write,
    signature: Signature,
  ): Promise<{ applied: boolean; tenure: Tenure | null }> {
    const row = await this.writeNoted((channel) => valuesOf(version, plan, signature, channel), signature);
    if (row?.applied === true) void this.hints.prune(row.newest, plan.slots.length);
    const tenure =
      row?.id == null
        ? null
        : { id: row.id, fence: row.fence, dueAt: new Date(row.due_at), failures: row.failures, tail: row.tail };
    return { applied: row?.applied ?? false, tenure };
  }

  private async writeNoted(values: Values, signature: Signature): Promise<AppliedRow | undefined> {
    const { change } = signature;
    if (change?.act === undefined) return await this.write(APPLY, values, signature);
    const { action, onBehalfOf } = change.act;
    try {
      const noted = (channel: string | null) => [...values(channel), action, onBehalfOf];
      return await this.write(APPLY_NOTED, noted, signature, NOTED_WITHIN_MS);
    } catch (error) {
      if (databaseFaultOf(error) === 'outage') throw error;
      const row = await this.write(APPLY, values, signature);
      if (row?.applied === true) {
        this.hints.auditFailed(error, { action, actor: change.by, on_behalf_of: onBehalfOf, reason: change.why });
      }
      return row;
    }
  }

  private async write(
    statement: Statement,
    values: Values,
    { notify, owner }: Signature,
    withinMs: number | null = null,
  ): Promise<AppliedRow | undefined> {
    const run = async (channel: string | null) =>
      withinMs === null
        ? await this.database.query<AppliedRow>(statement, values(channel))
        : await this.database.queryWithin<AppliedRow>(withinMs, statement, values(channel));
    if (!notify || this.hints.notifiesInWrite) {
      try {
        return (await run(notify ? SCHEDULER_CHANNEL : null))[0];
      } catch (error) {
        if (!notify || !this.hints.failedByNotifying(error)) throw error;
      }
    }
    const [row] = await run(null);
    if (row?.applied === true) void this.hints.notify(owner);
    return row;
  }

  /**
   * Moves the grid along with a clock that was set back; once per jump, whichever replica sees it first. Leases then end
   * `leaseMs` from now at most. They are not moved: one that was renewed since the jump would run out under its owner.
   * `sinceMs`: the jump happened no longer ago, which is noted for whatever else that clock timed.
   */
  async shiftClock(version: number, shiftMs: number, leaseMs: number, sinceMs: number): Promise<boolean> {
    return (await this.database.query(SHIFT_CLOCK, [version, shiftMs, leaseMs, sinceMs])).length > 0;
  }

  /**
   * Notes for the whole fleet, and for processes to come, that the job's lease was seen run out; the first note counts. It
   * waits for no lock: a later look notes it then.
   */
  async noteLapse({ id, fence }: Pick<BegunJob, 'id' | 'fence'>): Promise<void> {
    await this.database.query(NOTE_LAPSE, [id, fence]);
  }

  /**
   * Renews a lease; `held` false: the job has another owner or has ended. `running` false: sending was stopped, which no
   * notification has to tell an owner. `requestLimitMs`: requests that begin from now on may take so long; a lower limit than
   * the one written down changes nothing.
   */
  async renew(
    id: number,
    fence: number,
    leaseMs: number,
    requestLimitMs: number | null = null,
  ): Promise<{ held: boolean; running: boolean }> {
    const [row] = await this.database.queryAtOnce<{ running: boolean }>(RENEW, [id, fence, leaseMs, requestLimitMs]);
    return { held: row !== undefined, running: row?.running ?? true };
  }
}

const observe = (work: string): Statement => ({
  name: 'scheduler.observe',
  text: `
    SELECT scheduler_state.version, running, auto_sending, interval_ms, overflow_total, clock_epoch, changed_by, changed_why,
      installation_id::text, round(extract(epoch FROM changed_at) * 1000)::float8 AS changed_at,
      silent_owner, extract(epoch FROM silent_at)::float8 * 1000 AS silent_at, silent_limit_ms,
      extract(epoch FROM clock_timestamp())::float8 * 1000 AS now,
      round(extract(epoch FROM last_slot_at) * 1000)::float8 AS last_slot_at,
      round(extract(epoch FROM next_slot_at) * 1000)::float8 AS next_slot_at,
      extract(epoch FROM pg_postmaster_start_time())::float8 * 1000 AS postmaster_started_at,
      (SELECT count(*) FROM dispatch_jobs WHERE state = 'waiting') AS waiting,
      (SELECT json_build_object('id', id, 'fence', fence)
         FROM dispatch_jobs WHERE state = 'waiting' ORDER BY id LIMIT 1) AS oldest_waiting,
      (SELECT coalesce(json_agg(json_build_object('id', id, 'fence', fence, 'owner', owner,
                'leaseUntil', extract(epoch FROM lease_until)::float8 * 1000, 'requestLimitMs', request_limit_ms,
                'lapseSeenAgoMs', extract(epoch FROM clock_timestamp() - lapse_seen_at)::float8 * 1000,
                'tail', tail_since IS NOT NULL) ORDER BY id), '[]')
         FROM dispatch_jobs WHERE state = 'running') AS begun,
      (SELECT coalesce(json_agg(json_build_object('key', key, 'value', value, 'source', source, 'origin', origin,
                'version', fleet_settings.version, 'setAt', round(extract(epoch FROM set_at)::float8 * 1000)) ORDER BY key), '[]')::text
         FROM fleet_settings) AS settings,
      (${work}) AS work
    FROM scheduler_state`,
});

/** In the order of the parameters of `APPLY`. `channel`: on which to notify; null: not at all. */
function valuesOf(version: number, plan: Write, signature: Signature, channel: string | null): unknown[] {
  const { schedule, ended } = plan;
  return [
    version,
    schedule.running,
    plan.autoSending,
    schedule.intervalMs,
    schedule.lastSlotAt,
    schedule.nextSlotAt,
    schedule.overflowTotal,
    signature.change !== null,
    signature.change?.by ?? null,
    signature.change?.why ?? null,
    ended?.id ?? null,
    ended?.fence ?? null,
    ended?.state ?? null,
    ended?.sent ?? 0,
    ended?.notSent ?? 0,
    ended?.note ?? null,
    plan.dropped,
    plan.slots.map((slot) => slot.dueAt),
    plan.slots.map((slot) => slot.state),
    plan.begin?.id ?? null,
    plan.begin?.fence ?? null,
    signature.owner,
    signature.leaseMs,
    signature.budget,
    channel,
    ended === null || ended.state === 'done' ? 0 : ended.resumeAfterMs,
    JSON.stringify(plan.settings ?? []),
    signature.silentOwner ?? null,
    signature.requestLimitMs ?? null,
    plan.tail?.id ?? null,
    plan.tail?.fence ?? null,
  ];
}

/**
 * Each owner of a job has the next fence. The first one is drawn: after a restore from a backup, or a failover that lost the
 * last commits, another job has the number of a lost one, other messages have the ids, and what is still known of the lost
 * ones must not be written to them.
 */
const FIRST_FENCE = `(floor(random() * 2000000) * ${OWNERS_OF_A_JOB})::int`;

/** `noted`: more common table expressions. */
const apply = (name: string, noted: string): Statement => ({
  name,
  text: `
    WITH guard AS (
      UPDATE scheduler_state SET
        version = version + 1, running = $2, auto_sending = $3, interval_ms = $4,
        last_slot_at = to_timestamp($5::float8 / 1000), next_slot_at = to_timestamp($6::float8 / 1000), overflow_total = $7,
        changed_at = CASE WHEN $8 THEN clock_timestamp() ELSE changed_at END,
        changed_by = CASE WHEN $8 THEN $9 ELSE changed_by END,
        changed_why = CASE WHEN $8 THEN $10 ELSE changed_why END,
        silent_owner = coalesce($28, silent_owner),
        silent_at = CASE WHEN $28::text IS NULL THEN silent_at ELSE clock_timestamp() END,
        silent_limit_ms = CASE WHEN $28::text IS NULL THEN silent_limit_ms ELSE greatest(
          (SELECT request_limit_ms FROM dispatch_jobs WHERE id = $20),
          silent_limit_ms - greatest(extract(epoch FROM clock_timestamp() - silent_at) * 1000, 0)) END
      WHERE version = $1
      RETURNING version, clock_timestamp() AS at
    )${noted}, agreed AS (
      INSERT INTO fleet_settings (key, value, source, origin, version, set_at)
      SELECT news.key, news.value, news.source, news.origin, news.version, guard.at
      FROM guard, jsonb_to_recordset($27::jsonb) AS news (key text, value jsonb, source text, origin text, version text)
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, source = excluded.source, origin = excluded.origin,
        version = excluded.version, set_at = excluded.set_at
    ), ended AS (
      UPDATE dispatch_jobs job SET
        state = CASE WHEN $13 = 'done' THEN 'done' ELSE 'running' END,
        owner = CASE WHEN $13 = 'done' THEN job.owner END,
        lease_until = CASE WHEN $26::float8 > 0 THEN guard.at + $26::float8 * interval '1 ms' END,
        lapse_seen_at = NULL, sent = job.sent + $14, not_sent = job.not_sent + $15, note = $16,
        finished_at = CASE WHEN $13 = 'done' THEN guard.at END,
        failures = CASE WHEN $13 = 'failed' THEN job.failures + 1 WHEN $14 + $15 > 0 THEN 0 ELSE job.failures END
      FROM guard WHERE job.id = $11 AND job.fence = $12 AND job.state = 'running' AND job.owner = $22
    ), tailed AS (
      UPDATE dispatch_jobs job SET tail_since = guard.at
      FROM guard WHERE job.id = $30 AND job.fence = $31 AND job.state = 'running' AND job.owner = $22
    ), dropped AS (
      UPDATE dispatch_jobs job SET state = 'dropped', finished_at = guard.at
      FROM guard WHERE job.id IN (SELECT id FROM dispatch_jobs WHERE state = 'waiting' ORDER BY id DESC LIMIT $17)
    ), queued AS (
      INSERT INTO dispatch_jobs (due_at, state, fence, owner, lease_until, started_at, finished_at, budget,
        request_limit_ms)
      SELECT to_timestamp(slot.due_at / 1000), slot.state, CASE WHEN slot.state = 'done' THEN 0 ELSE ${FIRST_FENCE} + (slot.state = 'running')::int END,
        CASE WHEN slot.state = 'running' THEN $22 END,
        CASE WHEN slot.state = 'running' THEN guard.at + $23 * interval '1 ms' END,
        CASE WHEN slot.state <> 'waiting' THEN guard.at END,
        CASE WHEN slot.state = 'done' THEN guard.at END,
        CASE WHEN slot.state <> 'waiting' THEN $24::int END,
        CASE WHEN slot.state = 'running' THEN $29::int END
      FROM guard, unnest($18::float8[], $19::text[]) WITH ORDINALITY AS slot (due_at, state, position)
      ORDER BY slot.position
      RETURNING id, fence, due_at, state, failures, FALSE AS tail
    ), begun AS (
      UPDATE dispatch_jobs job SET
        state = 'running', fence = job.fence + 1, owner = $22, lease_until = guard.at + $23 * interval '1 ms',
        lapse_seen_at = NULL, started_at = coalesce(job.started_at, guard.at), budget = coalesce(job.budget, $24),
        request_limit_ms = $29,
        failures = job.failures + (job.state = 'running' AND coalesce(job.owner <> $22, FALSE))::int
      FROM guard
      WHERE job.id = $20 AND job.fence = $21
        AND (job.state = 'waiting' OR (job.state = 'running' AND (job.owner = $22 OR coalesce(job.lease_until < guard.at, TRUE))))
      RETURNING job.id, job.fence, job.due_at, job.failures, job.tail_since IS NOT NULL AS tail
    ), mine AS (
      SELECT id, fence, due_at, failures, tail FROM begun
      UNION ALL SELECT id, fence, due_at, failures, tail FROM queued WHERE state = 'running'
    )
    SELECT EXISTS (SELECT FROM guard) AS applied, (SELECT max(id) FROM queued) AS newest, mine.id, mine.fence, mine.failures,
      mine.tail,
      round(extract(epoch FROM mine.due_at) * 1000)::float8 AS due_at,
      (SELECT pg_notify($25, $22) FROM guard WHERE $25 IS NOT NULL)
    FROM (SELECT) AS always LEFT JOIN mine ON TRUE`,
});

const APPLY = apply('scheduler.apply', '');

/** A statement of its own: without the right to note acts, or with a table of acts that takes none, the schedule goes on. */
const APPLY_NOTED = apply(
  'scheduler.apply-noted',
  `, noted AS (
      INSERT INTO operator_actions (actor, on_behalf_of, action, reason)
      SELECT $9, $33, $32::text, $10 FROM guard
    )`,
);

const LOWEST_BIGINT = `'-9223372036854775808'::bigint`;

const SHIFT_CLOCK: Statement = {
  name: 'scheduler.shift-clock',
  text: `
    WITH guard AS (
      UPDATE scheduler_state SET
        version = version + 1, clock_epoch = clock_epoch + 1,
        last_slot_at = last_slot_at - $2 * interval '1 ms', next_slot_at = next_slot_at - $2 * interval '1 ms'
      WHERE version = $1
      RETURNING version, clock_epoch, clock_timestamp() - $4::float8 * interval '1 ms' AS since
    ), noted AS (
      INSERT INTO clock_set_backs (epoch, set_back_ms, since, from_at, from_id)
      SELECT clock_epoch, $2::float8, since, since, ${LOWEST_BIGINT} FROM guard
    ), leases AS (
      UPDATE dispatch_jobs job SET lease_until = least(lease_until, clock_timestamp() + $3 * interval '1 ms')
      FROM guard WHERE job.state = 'running' AND job.lease_until IS NOT NULL
    )
    SELECT version FROM guard`,
};

const NOTE_LAPSE: Statement = {
  name: 'scheduler.note-lapse',
  text: `
    UPDATE dispatch_jobs SET lapse_seen_at = clock_timestamp()
    WHERE id = (
      SELECT id FROM dispatch_jobs
      WHERE id = $1 AND fence = $2 AND state = 'running' AND owner IS NOT NULL
        AND lapse_seen_at IS NULL AND lease_until <= clock_timestamp()
      FOR NO KEY UPDATE SKIP LOCKED)`,
};

const RENEW: Statement = {
  name: 'scheduler.renew',
  text: `
    UPDATE dispatch_jobs SET lease_until = clock_timestamp() + $3 * interval '1 ms', lapse_seen_at = NULL,
      request_limit_ms = greatest(request_limit_ms, $4::int)
    WHERE id = $1 AND fence = $2 AND state = 'running' AND owner IS NOT NULL
    RETURNING (SELECT running FROM scheduler_state) AS running`,
};
