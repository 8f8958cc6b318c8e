import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { LiveConfig } from '../config/live-config.js';
import { databaseFaultOf, refusalOf } from '../database-fault.js';
import { ownerName } from '../owner-name.js';
import { WakeSignal } from '../scheduler/wake-signal.js';
import { SchemaGate } from '../schema-gate.js';
import { limitsInForce, sentenceOf, type LimitsInForce } from './limits-in-force.js';
import { MESSAGE_WALKS } from './message-walks.js';
import { RetentionPace } from './retention-pace.js';
import { RetentionStore } from './retention-store.js';
import { RetentionTroubles } from './retention-troubles.js';
import { TABLE_WALKS } from './table-walks.js';
import { FIELD_OF, LIMIT_KEYS, type Walk } from './walk.js';
import { WalkRun } from './walk-run.js';

export const WALKS: readonly Walk[] = [...MESSAGE_WALKS, ...TABLE_WALKS];

/** A process that has just begun sends first. */
const FIRST_SWEEP_MS = 30_000;
/** Whoever mistyped a limit may put it back before anything is gone. */
const AFTER_CHANGE_MS = 10_000;
const SWEEP_EVERY_MS = 3_600_000;
/** The fleet goes through the tables once in this time, whichever replica does it. */
const FLEET_REST_MS = 3_000_000;
const AFTER_OUTAGE_MS = 60_000;
const SAVED_EVERY_MS = 5_000;

/** How a sweep ended. `busy`: another replica is at it, or it has been done. */
export type Sweep = 'done' | 'busy' | 'stopped' | 'outage';

/**
 * Deletes and erases what is older than the limits that are set, beside sending: once an hour, on one replica of the fleet, in
 * small batches with rests between them. Whatever is not sent, failed or cancelled stays, and so does what a job works on. A
 * batch is one transaction, so a crash leaves each message with all its attempts, or gone with them.
 */
@Injectable()
export class Retention implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly owner = ownerName();
  private readonly logger = new Logger('Retention');
  private readonly troubles = new RetentionTroubles();
  private readonly alarm = new WakeSignal();
  private readonly stopping = new AbortController();
  private loop: Promise<void> = Promise.resolve();
  private said = '';

  constructor(
    private readonly store: RetentionStore,
    private readonly live: LiveConfig,
    private readonly schema: SchemaGate,
  ) {}

  /** What keeps this replica from deleting or erasing something, for people; null when nothing does. */
  get trouble(): string | null {
    return this.troubles.text;
  }

  get inForce(): LimitsInForce {
    return limitsInForce(this.live);
  }

  onApplicationBootstrap(): void {
    this.loop = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    this.alarm.wake();
    await this.loop;
  }

  /** Goes once through every table that has a limit, unless the fleet has done so lately. */
  async sweep(): Promise<Sweep> {
    const { limits } = this.sayLimits();
    const limitsText = JSON.stringify(limits);
    try {
      if (!(await this.store.lease(this.owner, limitsText, FLEET_REST_MS))) return 'busy';
      this.troubles.isOver('');
      const mayDelete = await this.examine(limits.retain_sent_days + limits.retain_parked_days > 0);
      let sweep: Sweep = 'done';
      for (const walk of WALKS) {
        const days = walk.days(limits);
        if (days === 0 || (walk.deletesMessages && !mayDelete)) this.troubles.isOver(walk.name);
        else sweep = await this.go(walk, days);
        if (sweep !== 'done') break;
      }
      await this.store.release(this.owner, sweep === 'done' ? limitsText : null);
      return sweep;
    } catch (error) {
      if (databaseFaultOf(error) !== 'outage') {
        const { text } = refusalOf(error);
        this.troubles.note('', text, `Retention cannot work: ${text}`);
      }
      // That PostgreSQL is unreachable is said by others.
      return 'outage';
    }
  }

  private async run(): Promise<void> {
    await this.schema.whenReady();
    if (this.stopping.signal.aborted || !this.schema.ready) return;
    this.sayLimits();
    const unsubscribe = this.live.onChange(({ keys }) => {
      if (LIMIT_KEYS.some((name) => keys.has(FIELD_OF[name]))) this.alarm.wake();
    });
    let nextAt = performance.now() + FIRST_SWEEP_MS;
    while (!this.stopping.signal.aborted) {
      if (await this.alarm.waitUntil(nextAt)) {
        nextAt = performance.now() + AFTER_CHANGE_MS;
        continue;
      }
      const sweep = await this.sweep();
      nextAt = performance.now() + (sweep === 'outage' ? AFTER_OUTAGE_MS : SWEEP_EVERY_MS);
    }
    unsubscribe();
  }

  private sayLimits(): LimitsInForce {
    const inForce = this.inForce;
    const sentence = sentenceOf(inForce);
    if (sentence !== this.said) this.logger.log(sentence);
    this.said = sentence;
    return inForce;
  }

  /** Whether messages may be deleted, if they are to be. */
  private async examine(toDelete: boolean): Promise<boolean> {
    if (!toDelete) {
      this.troubles.isOver('rights');
      return false;
    }
    const { role, mayDelete, foreignKeys } = await this.store.examine();
    this.troubles.noteForeignKeys(foreignKeys);
    if (mayDelete) this.troubles.isOver('rights');
    else {
      const cure = `GRANT DELETE ON messages TO ${role}`;
      this.troubles.note('rights', role, `${role} may not delete messages, so none is deleted until ${cure}`);
    }
    return mayDelete;
  }

  private async go(walk: Walk, days: number): Promise<Sweep> {
    try {
      const sweep = await this.goThrough(walk, days);
      const { refused = 0, reason = null } = (await this.store.progress(walk.name)) ?? {};
      if (refused === 0) this.troubles.isOver(walk.name);
      else {
        const text = `Retention ${walk.text}, except ${refused} that PostgreSQL keeps (${reason}); they are tried again after a day`;
        this.troubles.note(walk.name, reason ?? '', text);
      }
      return sweep;
    } catch (error) {
      if (databaseFaultOf(error) === 'outage') throw error;
      // The other tables are gone through all the same.
      const { text } = refusalOf(error);
      this.troubles.note(walk.name, text, `Retention ${walk.text}, and cannot: ${text}; it tries again in an hour`);
      return 'done';
    }
  }

  private async goThrough(walk: Walk, days: number): Promise<Sweep> {
    const run = new WalkRun(walk, days, this.store, await this.store.progress(walk.name));
    const pace = new RetentionPace();
    let savedAt = performance.now();
    let behind = false;
    for (;;) {
      // A limit that was changed meanwhile counts at once.
      if (this.stopping.signal.aborted || walk.days(this.inForce.limits) !== days) {
        await run.save();
        return 'stopped';
      }
      if (this.store.sendingWaits) {
        await this.rest(pace.restMs(0, true));
        continue;
      }
      const began = performance.now();
      await run.step();
      const workedMs = performance.now() - began;
      if (run.ended || performance.now() - savedAt > SAVED_EVERY_MS) {
        await run.save();
        savedAt = performance.now();
        if (run.ended) return 'done';
        const lease = await this.store.renew(this.owner);
        if (!lease.held) return 'busy';
        behind = lease.behind;
      }
      await this.rest(pace.restMs(workedMs, behind || this.store.sendingWaits));
    }
  }

  private async rest(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }
}
