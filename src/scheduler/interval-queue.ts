import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { FleetAgreement, type Consideration } from '../config/fleet-agreement.js';
import { LiveConfig } from '../config/live-config.js';
import type { Statement } from '../database.js';
import { SchemaGate } from '../schema-gate.js';
import { ownerName } from '../owner-name.js';
import { clockJumpMs, type ClockReading } from './database-clock.js';
import { FleetChannel } from './fleet-channel.js';
import type { HandlerStatus, JobHandler } from './job.js';
import { JobRunner } from './job-runner.js';
import { LastAttemptCopy } from './last-attempt-copy.js';
import { Pulse, type Ailments } from './pulse.js';
import { planTurn, type BegunJob, type Circumstances, type Plan } from './plan.js';
import { LeaseWatch } from './lease-watch.js';
import { LEASE_MS, STOOD_STILL_MS } from './running-job.js';
import { clockShiftMs, LONGEST_LEAD_MS } from './schedule.js';
import { ScheduleStore, type Sighting } from './schedule-store.js';
import { SilenceWatch } from './silent-owner.js';
import { TurnLog } from './turn-log.js';
import { WakeSignal } from './wake-signal.js';

/** So much later than others a replica that cannot send takes a job, so that one that can always wins. */
const LONGEST_HANDICAP_MS = 1_000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2_000;
/** A rest has parts, so that one which lasts much too long tells that the process stood still. */
const REST_PART_MS = 1_000;
/** The longest rest while nothing is heard of other replicas. */
const DEAF_REST_MS = 5_000;
/** The longest rest while sending is stopped: a start that was not heard must not be slept past. */
const STOPPED_REST_MS = 30_000;
/** Who starts and stops where no operator did. */
export const BY_SETTING = 'auto_sending';

/** What keeps a replica from its part; null: nothing of that kind. */
export interface QueueCondition extends Ailments {
  /** Why its turns fail; null when they do not. */
  readonly turnsFailBecause: string | null;
  /** The jobs of this replica end with an error. */
  readonly jobsFailSince: Date | null;
  /** It does not hear of other replicas. */
  readonly deafSince: Date | null;
}

/**
 * Runs a registered handler once per slot of a durable grid that the whole fleet shares. One loop per replica looks at the
 * schedule when a slot is due, when something was heard, or when its own job ended; whatever it does is one
 * compare-and-swap, so replicas that act at once cannot both. It knows nothing of what the jobs do.
 */
@Injectable()
export class IntervalQueue implements BeforeApplicationShutdown {
  private readonly owner = ownerName();
  private readonly signal = new WakeSignal();
  private readonly log = new TurnLog();
  private handler: JobHandler | null = null;
  private loop: Promise<void> | null = null;
  private stopping = false;
  private reading: (ClockReading & { epoch: number }) | null = null;
  private readonly leases = new LeaseWatch();
  private readonly pulse = new Pulse();
  /** The job that is left to others, and since when it could have been taken. */
  private deferred: { readonly key: string; readonly since: number } | null = null;
  /** Monotonic: when a replica that stands back tries again; null: it does not stand back. */
  private triesAgainFrom: number | null = null;
  /** When sending was last started or stopped, as far as it was seen here. */
  private changeSeen: number | null = null;
  /** Whether a replica that went silent may still have requests under way. */
  readonly silence = new SilenceWatch();
  private lastSlotCopy: number | null = null;
  private copyIsLoaded = false;

  constructor(
    private readonly store: ScheduleStore,
    private readonly live: LiveConfig,
    private readonly gate: SchemaGate,
    private readonly channel: FleetChannel,
    private readonly lastAttempt: LastAttemptCopy,
    private readonly runner: JobRunner,
    private readonly agreement: FleetAgreement,
  ) {}

  /** Why the process should be restarted; null when it should not. */
  get hangs(): string | null {
    if (this.loop === null) return 'The scheduler loop has not begun';
    return this.stopping ? 'The scheduler loop is ending' : this.pulse.hangs(performance.now());
  }

  /** What keeps this replica from its part, and since when. */
  get condition(): QueueCondition {
    return {
      ...this.pulse.ailments(performance.now()),
      turnsFailBecause: this.log.turnsFailBecause,
      jobsFailSince: this.runner.failsSince,
      deafSince: this.channel.deafSince,
    };
  }

  /** Why jobs come to nothing on this replica; null when they do not. */
  get cannotWork(): string | null {
    return this.handler?.cannotWork() ?? null;
  }

  /** Tells when a job of the fleet last achieved something; null before there is a handler. */
  get lastSuccess(): Statement | null {
    return this.handler?.lastSuccess ?? null;
  }

  /** How this replica's handler is doing; null before there is one. */
  get handlerStatus(): HandlerStatus | null {
    return this.handler?.status() ?? null;
  }

  /** When this replica, which leaves jobs to others, tries one again; null while it leaves none. */
  get triesAgainAt(): Date | null {
    if (this.triesAgainFrom === null) return null;
    return new Date(Date.now() + Math.max(0, this.triesAgainFrom - performance.now()));
  }

  /**
   * Starts the loop for `handler`, once per process; it waits for the schema by itself. A loop that fails for good ends the
   * process: it would look alive and send nothing.
   */
  begin(handler: JobHandler, die = throwUncaught): void {
    this.handler = handler;
    this.store.watchWork(handler.work);
    this.loop = this.turnUntilStopped(handler).catch((error: unknown) => {
      this.pulse.loopEnds();
      die(error);
    });
  }

  /** Looks at the schedule now rather than when planned. */
  wake(): void {
    this.signal.wake();
  }

  /** Tries what is due at once, for what was in the way may be mended. */
  tryAgain(): void {
    this.runner.stepBack.forgive();
    this.handler?.forgetTrouble();
    this.triesAgainFrom = null;
    this.signal.wake();
  }

  /** Ends the loop: nothing begins any more, and the job of this replica is given back with what is left of its budget. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    this.runner.shutDown();
    this.signal.wake();
    await this.loop;
    await Promise.all([this.runner.close(), this.channel.close()]);
  }

  private async turnUntilStopped(handler: JobHandler): Promise<void> {
    await this.gate.whenReady();
    if (this.stopping || !this.gate.ready) return;
    this.channel.listen(
      this.owner,
      () => this.signal.wake(),
      () => this.leases.lostTouch(),
    );
    const unsubscribe = this.live.onChange(() => this.signal.wake());
    let retryMs = FIRST_RETRY_MS;
    while (!this.stopping || !this.runner.idle) {
      this.pulse.turnBegins(performance.now());
      try {
        const lookAgainAt = await this.takeTurn(handler);
        this.pulse.turnEnds(true);
        this.log.recovered();
        retryMs = FIRST_RETRY_MS;
        // The turn that wrote the end of the last run is the last one.
        if (this.stopping && this.runner.idle) break;
        await this.restUntil(lookAgainAt);
      } catch (error) {
        this.pulse.turnEnds(false);
        this.log.failed(error);
        this.leases.lostTouch();
        if (this.stopping && this.runner.over) break;
        await this.signal.waitUntil(performance.now() + retryMs);
        retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
      }
    }
    unsubscribe();
  }

  /**
   * Waits until `lookAgainAt`, or until something is heard. An idle service asks nothing between its slots, as long as it
   * would hear of a change; without the listening connection, and while stopped, it looks in between.
   */
  private async restUntil(lookAgainAt: number): Promise<void> {
    const from = performance.now();
    const until = Math.min(lookAgainAt, from + (Number.isFinite(lookAgainAt) ? Infinity : STOPPED_REST_MS));
    for (;;) {
      const part = Math.min(until, performance.now() + REST_PART_MS);
      const woken = await this.signal.waitUntil(part);
      const lateMs = performance.now() - part;
      if (lateMs > STOOD_STILL_MS) this.leases.stoodStill(lateMs);
      if (woken || part === until) return;
      if (this.channel.deafSince !== null && part - from >= DEAF_REST_MS) return;
    }
  }

  /** One look and, if anything follows from it, one write. Returns when to look again, on the monotonic clock. */
  private async takeTurn(handler: JobHandler): Promise<number> {
    if (!this.copyIsLoaded) await this.loadCopy();
    const askedAt = performance.now();
    const seen = await this.store.observe();
    const answeredAt = performance.now();
    if (answeredAt - askedAt > STOOD_STILL_MS) this.leases.stoodStill(answeredAt - askedAt);
    if (await this.followClock(seen, { databaseAt: seen.now, askedAt, answeredAt })) return askedAt;
    this.leases.looked(seen, answeredAt);
    for (const job of seen.begun) if (isNewLapse(job, seen.now, this.owner)) await this.store.noteLapse(job);
    this.runner.noteTails(seen.begun);
    this.silence.looked(seen.silent, seen.now, answeredAt, this.live.current.webhookTimeoutMs);

    this.followStart(seen);
    this.agreement.take(seen.settings);
    const { current } = this.live;
    const consideration = this.newsFor(seen);
    const circumstances = this.circumstances(seen, answeredAt, consideration);
    const plan = planTurn(seen, circumstances);
    const requestLimitMs = current.webhookTimeoutMs;
    this.runner.allowRequests(requestLimitMs);
    if (!plan.schedule.running) this.runner.windDown();
    if (plan.changes) {
      const written = await this.store.apply(seen.version, plan, {
        owner: this.owner,
        leaseMs: LEASE_MS,
        budget: current.rateLimit,
        change: switched(seen, plan),
        notify: concernsOthers(seen, plan),
        silentOwner: silentOwner(seen, plan, this.owner),
        requestLimitMs,
      });
      if (!written.applied) return askedAt;
      if (plan.ended !== null) this.runner.forgetEnded(plan.ended);
      if (plan.tail !== null)
        this.runner.noteTails([{ ...plan.tail, owner: this.owner, leaseUntil: null, tail: true }]);
      if (written.tenure !== null) {
        const aheadMs = Math.min(written.tenure.dueAt.getTime() - seen.exactNow, LONGEST_LEAD_MS);
        const times = { takenFrom: askedAt, grantedFrom: answeredAt, dueFrom: answeredAt + aheadMs, requestLimitMs };
        this.runner.begin(handler, written.tenure, times, plan.settlesOnly, () => this.signal.wake());
      }
    }
    this.log.turned(seen, plan, () => this.live.notes.find((note) => note.includes(' is unknown: ')) ?? null);
    const { running, nextSlotAt } = plan.schedule;
    this.triesAgainFrom = this.triesAgain(seen, plan, answeredAt);
    this.pulse.turned(running ? answeredAt + (nextSlotAt - seen.exactNow) : null);
    this.lastAttempt.save(plan.schedule.lastSlotAt);
    this.lastSlotCopy = null;
    this.agreement.settle(consideration, seen.now);
    // Several may have ended at once, and a turn writes down one.
    if (this.runner.ended !== null) return askedAt;
    return answeredAt + (plan.wakeAt - seen.exactNow);
  }

  private async loadCopy(): Promise<void> {
    const { installationId, schedule } = await this.store.observe();
    this.lastSlotCopy = await this.lastAttempt.load(installationId, schedule.lastSlotAt === null);
    await this.agreement.recall();
    this.copyIsLoaded = true;
  }

  /** What this replica's settings bring to the fleet; nothing unknown does, and nothing begins while the pace is unknown. */
  private newsFor(seen: Sighting): Consideration {
    const news = this.agreement.consider(
      !seen.schedule.running && operatorDecided(seen) ? seen.changedAt.getTime() : null,
    );
    if (seen.autoSending !== null || this.live.isDecided('scheduler_interval')) return news;
    return { brings: withoutStart(news.brings), considered: withoutStart(news.considered) };
  }

  private circumstances(seen: Sighting, answeredAt: number, { brings }: Consideration): Circumstances {
    const broughtOf = (name: string) => brings.find(({ key }) => key === name)?.value;
    const [intervalSeconds, autoSending] = [broughtOf('scheduler_interval'), broughtOf('auto_sending')];
    return {
      self: this.owner,
      capacity: this.capacity(seen, brings),
      workers: this.workers(brings),
      newIntervalMs: typeof intervalSeconds === 'number' ? intervalSeconds * 1000 : null,
      newAutoSending: typeof autoSending === 'boolean' ? autoSending : null,
      newSettings: brings,
      operatorDecided: operatorDecided(seen),
      lastSlotCopy: this.lastSlotCopy,
      ended: this.runner.ended,
      free: !this.stopping && this.runner.free,
      trailing: !this.stopping && this.handler?.hasRoomBeside() === true ? this.runner.trailing : null,
      settles: !this.stopping,
      runsHere: (job) => this.runner.runsHere(job),
      leadMs: this.runner.lead.ms(seen.schedule.intervalMs),
      handicapMs: this.handicapMs(seen),
      deferMs: (job) => this.deferMs(seen, job, answeredAt),
      takeoverFrom: (job) => seen.now + this.leases.heldUntil(job) - answeredAt,
    };
  }

  /** How many jobs may wait: what the fleet agreed on, or is to agree on now. What nobody said trims nothing. */
  private capacity(seen: Sighting, brings: Consideration['brings']): number {
    const name = 'scheduler_queue_capacity';
    const brought = brings.find(({ key }) => key === name);
    const capacity = typeof brought?.value === 'number' ? brought.value : this.live.queueLimits.capacity;
    const said = brought ?? this.live.fleetSetting(name);
    return said === null || said.source === 'default' ? Math.max(capacity, seen.schedule.waiting) : capacity;
  }

  private workers(brings: Consideration['brings']): number {
    const name = 'scheduler_workers';
    const brought = brings.find(({ key }) => key === name)?.value;
    if (typeof brought === 'number') return brought;
    return this.live.fleetSetting(name) === null ? 1 : this.live.queueLimits.workers;
  }

  /** A replica that can do nothing with a job leaves it to those that can; when nobody takes it, it is taken here. */
  private handicapMs(seen: Sighting): number {
    const { intervalMs } = seen.schedule;
    const unableMs = this.cannotWork === null ? 0 : Math.min(LONGEST_HANDICAP_MS, intervalMs / 2);
    return Math.max(unableMs, this.runner.stepBack.handicapMs(intervalMs));
  }

  private deferMs(seen: Sighting, job: Pick<BegunJob, 'id' | 'fence'>, at: number): number {
    const handicapMs = this.handicapMs(seen);
    const key = `${job.id}/${job.fence}`;
    if (handicapMs === 0) this.deferred = null;
    else if (this.deferred?.key !== key) this.deferred = { key, since: at };
    return this.deferred === null ? 0 : Math.max(0, handicapMs - (at - this.deferred.since));
  }

  private triesAgain(seen: Sighting, { schedule, begin, ended, leftForMs }: Plan, at: number): number | null {
    const handicapMs = this.runner.stepBack.handicapMs(schedule.intervalMs);
    const isTrying = !this.runner.free && leftForMs === 0;
    if (handicapMs === 0 || isTrying || !schedule.running) return null;
    if (leftForMs > 0 || begin !== null) return at + leftForMs;
    // What it has just given back it leaves from the next look on.
    if (ended !== null && ended.state !== 'done') return at + handicapMs;
    return at + Math.max(0, schedule.nextSlotAt - seen.exactNow) + handicapMs;
  }

  /** Who starts sending expects requests, and not the pauses of a time before. */
  private followStart(seen: Sighting): void {
    const changedAt = seen.changedAt.getTime();
    if (seen.schedule.running && this.changeSeen !== null && this.changeSeen !== changedAt) this.tryAgain();
    this.changeSeen = changedAt;
  }

  /** Notices a jump of the database's clock; true when the schedule was moved, or should have been and somebody else did. */
  private async followClock(seen: Sighting, reading: ClockReading): Promise<boolean> {
    const before = this.reading;
    const jumpMs = before?.epoch === seen.clockEpoch ? clockJumpMs(before, reading) : 0;
    if (jumpMs > 0 || before?.epoch !== seen.clockEpoch) this.leases.excuseOwners();
    const shiftMs = clockShiftMs(seen.schedule, seen.now, -jumpMs);
    if (shiftMs === 0) {
      if (before?.epoch !== seen.clockEpoch) this.handler?.clockSetBack();
      this.reading = { ...reading, epoch: seen.clockEpoch };
      return false;
    }
    const sinceMs = before === null ? 0 : reading.answeredAt - before.askedAt;
    if (await this.store.shiftClock(seen.version, shiftMs, LEASE_MS, sinceMs)) this.log.clockSetBack(shiftMs);
    return true;
  }
}

/** The last resort of the process logs it and ends the process. */
function throwUncaught(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

function switched(seen: Sighting, plan: Plan): { by: string; why: string } | null {
  if (plan.schedule.running === seen.schedule.running) return null;
  return { by: BY_SETTING, why: `auto_sending is ${String(plan.autoSending)}` };
}

function withoutStart(settings: Consideration['brings']): Consideration['brings'] {
  return settings.filter(({ key }) => key !== BY_SETTING);
}

/** Whether it was an operator who last started or stopped. */
export function operatorDecided({ changedBy }: Sighting): boolean {
  return changedBy !== null && changedBy !== BY_SETTING;
}

/** From whom the job that begins is taken over; null when nobody had it. */
function silentOwner(seen: Sighting, plan: Plan, self: string): string | null {
  const owner = seen.begun.find(({ id }) => id === plan.begin?.id)?.owner ?? null;
  return owner === self ? null : owner;
}

/** Whether the lease of another replica has run out, and nobody has noted that. */
function isNewLapse({ owner, leaseUntil, lapseSeenAgoMs }: BegunJob, now: number, self: string): boolean {
  if (owner === null || owner === self || leaseUntil === null) return false;
  return leaseUntil <= now && (lapseSeenAgoMs ?? null) === null;
}

/** Whether other replicas must look again: a job that they may begin, a stop that somebody waits for, a moved grid. */
function concernsOthers(seen: Sighting, plan: Plan): boolean {
  const { schedule, ended } = plan;
  return (
    schedule.running !== seen.schedule.running ||
    schedule.intervalMs !== seen.schedule.intervalMs ||
    (plan.settings ?? []).length > 0 ||
    plan.slots.some((slot) => slot.state === 'waiting') ||
    silentOwner(seen, plan, '') !== null ||
    (ended !== null && (ended.state !== 'done' || seen.schedule.waiting > 0 || !schedule.running))
  );
}
