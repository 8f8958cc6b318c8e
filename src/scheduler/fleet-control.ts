import { Injectable } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { LiveConfig } from '../config/live-config.js';
import type { Actor } from '../caller.js';
import { isDatabaseOutage } from '../database-outage.js';
import { DomainError } from '../domain-error.js';
import { SchemaGate } from '../schema-gate.js';
import { BY_SETTING, IntervalQueue, operatorDecided } from './interval-queue.js';
import type { BegunJob } from './plan.js';
import { LEASE_MS } from './running-job.js';
import { start, stop, type Schedule } from './schedule.js';
import { ScheduleStore, type Sighting } from './schedule-store.js';

/** How often a stop asks whether the fleet's last job has ended; it asks for as long as one request may take. */
const ASK_AGAIN_MS = 50;
/** A stop is answered within the webhook timeout and a second; this is what it leaves for the answer itself. */
const SETTLING_MS = 800;

export class SchemaNotReady extends DomainError {
  readonly code = 'database.schema';
  readonly kind = 'unavailable';
}

export class StopUnconfirmed extends DomainError {
  readonly code = 'scheduler.stop_unconfirmed';
  readonly kind = 'unavailable';

  constructor(why: string, cause?: unknown) {
    super(`Sending is stopped and nothing new begins, but ${why}; ask again in a few seconds`);
    this.cause = cause;
  }
}

export class StartedAgain extends DomainError {
  readonly code = 'scheduler.started_again';
  readonly kind = 'conflict';

  constructor() {
    super(
      'Sending was stopped, and started again before the last requests had ended: it runs. Stop it again if it should not',
    );
  }
}

/** What an operator does to the schedule. Each act counts for the whole fleet, survives restarts and may be repeated. */
@Injectable()
export class FleetControl {
  constructor(
    private readonly store: ScheduleStore,
    private readonly queue: IntervalQueue,
    private readonly live: LiveConfig,
    private readonly gate: SchemaGate,
  ) {}

  /** Starts sending: the next job runs one interval after the last slot, or at once when that has passed. */
  async start(actor: Actor): Promise<void> {
    await this.change('start', actor, (seen) => start(seen.schedule, seen.now));
  }

  /**
   * Stops sending and discards waiting jobs, no messages. When it resolves no request is in flight in the whole fleet and
   * none begins; that takes the webhook timeout at most. A job is over when its owner said so. A lease that ran out is no
   * proof: who went silent may have requests under way for its webhook timeout after its job was taken over.
   * @throws StopUnconfirmed when that is not certain by then, or when PostgreSQL cannot be asked any more; the stop itself is
   * recorded all the same.
   * @throws StartedAgain when somebody started sending meanwhile.
   */
  async stop(actor: Actor): Promise<void> {
    await this.change('stop', actor, (seen) => stop(seen.schedule));
    const { webhookTimeoutMs } = this.live.current;
    const { silence } = this.queue;
    const deadline = performance.now() + webhookTimeoutMs + SETTLING_MS;
    for (;;) {
      const seen = await this.store.observe().catch((error: unknown) => {
        if (!isDatabaseOutage(error)) throw error;
        throw new StopUnconfirmed('PostgreSQL, which knows whether all requests have ended, is out of reach', error);
      });
      if (seen.schedule.running) throw new StartedAgain();
      const now = performance.now();
      silence.looked(seen.silent, seen.now, now, webhookTimeoutMs);
      const doubtMs = silence.doubtMs(now);
      const held = seen.begun.filter(({ owner }) => owner !== null);
      if (held.length === 0 && doubtMs === 0) return;
      // What surely lasts longer than the answer may take is told at once.
      if (now + doubtMs > deadline) throw new StopUnconfirmed(unconfirmed(seen, held, doubtMs, webhookTimeoutMs));
      await sleep(ASK_AGAIN_MS);
    }
  }

  private get decidedAutoSending(): boolean | null {
    return this.live.isDecided(BY_SETTING) ? this.live.current.autoSending : null;
  }

  private async change(action: string, actor: Actor, rule: (seen: Sighting) => Schedule): Promise<void> {
    if (!this.gate.ready) throw new SchemaNotReady(this.gate.problem ?? 'the database schema is missing');
    for (;;) {
      const seen = await this.store.observe();
      const schedule = rule(seen);
      // Also a stop of what does not run is an operator's word: what a setting stopped, a setting could start.
      if (schedule === seen.schedule && (schedule.running || operatorDecided(seen))) {
        if (schedule.running) this.queue.tryAgain();
        return;
      }
      const written = await this.store.apply(
        seen.version,
        {
          schedule,
          // Before the first turn of all nothing was compared yet: what is in force now must not undo this act. While that
          // is unknown it stays so, and the first value that comes changes nothing.
          autoSending: seen.autoSending ?? this.decidedAutoSending,
          slots: [],
          begin: null,
          ended: null,
          dropped: schedule.running ? 0 : seen.schedule.waiting,
        },
        {
          owner: '',
          leaseMs: 0,
          budget: 0,
          change: { by: actor.by, why: actor.reason, act: { action, onBehalfOf: actor.onBehalfOf } },
          notify: true,
        },
      );
      if (!written.applied) continue;
      this.queue.wake();
      return;
    }
  }
}

/** Why nobody can say yet that all requests have ended, and when that will be certain. */
function unconfirmed(
  { silent, now }: Sighting,
  held: readonly BegunJob[],
  doubtMs: number,
  webhookTimeoutMs: number,
): string {
  const until = (afterMs: number) =>
    `its last requests may be under way until ${new Date(now + afterMs).toISOString()}`;
  const lapsed = held.find(({ leaseUntil }) => leaseUntil !== null && leaseUntil <= now);
  if (lapsed !== undefined) {
    return `the owner of job ${lapsed.id}, ${lapsed.owner}, went silent; ${until(LEASE_MS + (lapsed.requestLimitMs ?? webhookTimeoutMs))}`;
  }
  if (doubtMs > 0) return `the replica ${silent?.owner ?? ''} went silent; ${until(doubtMs)}`;
  const jobs = held.map((job) => job.id).join(', ');
  return `the owner of job ${jobs} has not confirmed that its requests have ended`;
}
