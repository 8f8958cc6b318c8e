import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { databaseFaultOf, refusalOf } from '../database-fault.js';
import type { ClaimKey } from '../messages/message-claims.js';
import { MessageSettlements } from '../messages/message-settlements.js';
import { RefusedClaims, type RefusedClaim } from '../messages/refused-claims.js';
import {
  CANCELLED,
  COUNTED_MAX,
  UnwrittenOutcomes,
  type DueRetry,
  type KeptFor,
  type UnwrittenSummary,
} from '../messages/unwritten-outcomes.js';
import { TableLocked } from '../messages/table-lock.js';
import { WakeSignal } from '../scheduler/wake-signal.js';
import { SchemaGate } from '../schema-gate.js';
import { BatchSize } from '../batch-size.js';
import { LockPatience } from './lock-patience.js';
import { OutcomeBatch, type OutcomeBatchParts } from './outcome-batch.js';
import { UnkeptOutcomes } from './unkept-outcomes.js';

const SLICE_ROWS = 200;
/** One turn's work, so that the end of the process waits no longer for it. */
const TURN_MS = 3_000;
const AFTER_ERROR_MS = 10_000;
const LOOK_EVERY_MS = 60_000;
/** Claims that are tried again take this share of the time at most, however many are refused. */
const CLAIMS_SHARE = 0.1;
const SAID_AGAIN_AFTER_MS = 60_000;
const IDS_SAID = 5;
const REASONS_KEPT = 100;
const UNKEPT_AGAIN_MS = 5_000;

/**
 * Keeps what PostgreSQL does not write to `messages`, and tries it again in the background while there is any: at the start,
 * when this process kept something, and when a job finds that another one did. With nothing kept it runs no statement.
 */
@Injectable()
export class OutcomeRetry implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private keptTrouble: string | null = null;
  private readonly unkept = new UnkeptOutcomes();
  /** Who holds outcomes in memory until PostgreSQL takes them, and why. */
  private readonly holders = new Map<object, string>();
  private readonly logger = new Logger('Outcomes');
  private readonly alarm = new WakeSignal();
  private readonly batchParts: OutcomeBatchParts;
  private readonly said = new Map<string, { at: number; unsaid: number }>();
  private lookedAt = -Infinity;
  private failedBy: string | null = null;
  private goneUnsaid = 0;
  private goneSaidAt = -Infinity;
  private closing = false;
  private loop: Promise<void> = Promise.resolve();

  constructor(
    private readonly outcomes: UnwrittenOutcomes,
    settlements: MessageSettlements,
    private readonly refused: RefusedClaims,
    private readonly schema: SchemaGate,
  ) {
    this.batchParts = { settlements, size: new BatchSize(SLICE_ROWS), patience: new LockPatience() };
  }

  /** What is kept or held and why, for people; null when nothing is. */
  get trouble(): string | null {
    const [held = null] = this.holders.values();
    const parts = [this.unkept.trouble, held, this.keptTrouble].filter((text) => text !== null);
    return parts.length === 0 ? null : parts.join('; ');
  }

  /** Whether so many outcomes are in memory alone that no more requests may be made. */
  get isFull(): boolean {
    return this.unkept.isFull;
  }

  /** `who` has outcomes in memory that PostgreSQL does not take for this reason; null: it has none any more. */
  hold(who: object, reason: string | null): void {
    if (reason === null) this.holders.delete(who);
    else this.holders.set(who, `outcomes cannot be written and are held in memory: ${reason}`);
  }

  onApplicationBootstrap(): void {
    this.loop = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.closing = true;
    this.alarm.wake();
    await this.loop;
    await this.keepUnkept().catch(() => undefined);
    if (this.unkept.size > 0)
      this.logger.error(`${this.unkept.trouble}, and ends; receipts in Redis are all that is left of them`);
  }

  /** A job begins: looks at the table while something is kept, and once a minute for what a replica kept that has ended. */
  jobBegins(): void {
    if (this.trouble !== null || performance.now() - this.lookedAt > LOOK_EVERY_MS) this.alarm.wake();
  }

  /**
   * Keeps outcomes durably, those of messages that the job still has claimed; returns how many these are, and those that
   * PostgreSQL does not take here either. They stay in memory, are tried again, and their messages must stay claimed.
   * @throws when PostgreSQL is unreachable, or a table is locked.
   */
  async keep(job: ClaimKey, unwritten: readonly KeptFor[]): Promise<{ kept: number; unkept: readonly KeptFor[] }> {
    const unkept: KeptFor[] = [];
    const kept = new Set(await this.keepParts(job, unwritten, unkept));
    const refused = unwritten
      .map(({ settlement: { id }, refusal }) => ({ id, refusal }))
      .filter(({ id }) => kept.has(id));
    this.say(refused, (ids) => `The outcomes of messages ${ids} cannot be written to messages`);
    this.alarm.wake();
    return { kept: kept.size, unkept };
  }

  /** A statement that is refused is halved down to the entry that is the cause. */
  private async keepParts(job: ClaimKey, entries: readonly KeptFor[], unkept: KeptFor[]): Promise<number[]> {
    try {
      return await this.outcomes.keep(job, entries);
    } catch (error) {
      const fault = databaseFaultOf(error);
      if (fault === 'outage') throw error;
      if (fault === 'locked' || fault === 'slow') {
        const lock = await this.batchParts.settlements.tableLock();
        if (lock !== null || fault === 'locked') throw lock ?? error;
      }
      if (fault === 'refused' && entries.length > 1) {
        const half = Math.ceil(entries.length / 2);
        const first = await this.keepParts(job, entries.slice(0, half), unkept);
        return [...first, ...(await this.keepParts(job, entries.slice(half), unkept))];
      }
      const refusal = refusalOf(error);
      unkept.push(...entries);
      this.unkept.add(job, entries, refusal.text);
      this.say(
        entries.map(({ settlement: { id } }) => ({ id, refusal })),
        (ids) => `The outcomes of messages ${ids} can be written neither to messages nor to unwritten_outcomes`,
        'they are in memory alone, and tried again',
      );
      return [];
    }
  }

  private async keepUnkept(): Promise<void> {
    for (const { job, entries } of this.unkept.takeAll()) {
      await this.keep(job, entries).catch((error: unknown) => {
        this.unkept.add(job, entries, refusalOf(error).text);
        if (databaseFaultOf(error) !== 'outage' && !(error instanceof TableLocked)) throw error;
      });
    }
  }

  /** Takes note of messages that cannot be claimed. */
  notice(refused: readonly RefusedClaim[]): void {
    this.say(refused, (ids) => `Messages ${ids} cannot be claimed, so they are not sent`);
    if (refused.length > 0) this.alarm.wake();
  }

  /** Tries once what is due. Returns how long the next one has time; null when nothing is kept. */
  async turn(): Promise<number | null> {
    this.lookedAt = performance.now();
    await this.keepUnkept();
    const due = await this.outcomes.takeDue(SLICE_ROWS);
    const until = performance.now() + TURN_MS;
    await this.dropGone(due.filter(({ isThere }) => !isThere));
    const open = due.filter(({ isThere }) => isThere);
    let claimsMs = 0;
    for (const group of grouped(open, claimKeyOf).values()) {
      const startedAt = performance.now();
      if (!this.closing) await this.tryAgain(group, until);
      if (group[0]?.claim === null) claimsMs += performance.now() - startedAt;
    }
    const summary = await this.outcomes.summary();
    this.keptTrouble = troubleOf(summary);
    this.failedBy = null;
    const dueInMs = summary.dueInMs === null ? null : Math.max(summary.dueInMs, claimsMs * (1 / CLAIMS_SHARE - 1));
    return this.unkept.size === 0 ? dueInMs : Math.min(dueInMs ?? Infinity, UNKEPT_AGAIN_MS);
  }

  private async run(): Promise<void> {
    await this.schema.whenReady();
    while (!this.closing && this.schema.ready) {
      const restMs = await this.turn().catch((error: unknown) => this.afterError(error));
      if (!this.closing) await this.alarm.waitUntil(performance.now() + (restMs ?? Infinity));
    }
  }

  private afterError(error: unknown): number {
    const refusal = refusalOf(error);
    // That PostgreSQL is unreachable is said by everybody else.
    if (databaseFaultOf(error) !== 'outage' && this.failedBy !== refusal.text) {
      this.failedBy = refusal.text;
      this.logger.error(`What is kept in unwritten_outcomes cannot be tried again: ${refusal.text}`);
    }
    return AFTER_ERROR_MS;
  }

  /** Another message may have the id by now: what is kept is not of it. */
  private async dropGone(gone: readonly DueRetry[]): Promise<void> {
    for (const group of grouped(gone, claimKeyOf).values()) {
      await this.outcomes.drop(
        group[0]?.claim ?? null,
        group.map(({ messageId }) => messageId),
      );
    }
    this.goneUnsaid += gone.length;
    const now = performance.now();
    if (this.goneUnsaid === 0 || now - this.goneSaidAt < SAID_AGAIN_AFTER_MS) return;
    this.logger.warn(
      `${this.goneUnsaid} rows of unwritten_outcomes are dropped: their messages were deleted or changed, or other messages have their ids now`,
    );
    this.goneUnsaid = 0;
    this.goneSaidAt = now;
  }

  private async tryAgain(group: readonly DueRetry[], until: number): Promise<void> {
    const claim = group[0]?.claim ?? null;
    if (claim === null) {
      return await this.tryClaims(group, until);
    }
    const settlements = group.flatMap(({ settlement }) => settlement ?? []);
    const batch = new OutcomeBatch(this.batchParts, claim, settlements, true, true);
    let written = 0;
    while (batch.left.length > 0 && performance.now() < until && !this.closing) {
      const step = await batch.step();
      written += step.written.length;
      await this.outcomes.drop(
        claim,
        [...step.written, ...step.passed].map(({ id }) => id),
      );
    }
    if (written > 0) this.logger.log({ job: claim.id }, `${written} outcomes that were kept are written to messages`);
  }

  /** Those that were slow by themselves, and last: one may take all the time that there is. */
  private async tryClaims(group: readonly DueRetry[], until: number): Promise<void> {
    const slow = group.filter(({ sqlstate }) => sqlstate === CANCELLED);
    const others = group.filter(({ sqlstate }) => sqlstate !== CANCELLED);
    for (const part of [others, ...slow.map((retry) => [retry])]) {
      if (part.length === 0 || performance.now() >= until || this.closing) continue;
      const ids = part.map(({ messageId }) => messageId);
      await this.outcomes.drop(null, await this.refused.nowTaken(ids));
    }
  }

  /** Says each reason, of outcomes and of claims, with the first ids at once, and then once a minute how often it came. */
  private say(
    refused: readonly RefusedClaim[],
    textOf: (ids: string) => string,
    follows = 'they are kept in unwritten_outcomes and tried again',
  ): void {
    const now = performance.now();
    for (const [reason, group] of grouped(refused, ({ refusal }) => refusal.text)) {
      const key = `${textOf('')} ${reason}`;
      const before = this.said.get(key);
      if (before !== undefined && now - before.at < SAID_AGAIN_AFTER_MS) {
        before.unsaid += group.length;
        continue;
      }
      this.said.delete(key);
      this.said.set(key, { at: now, unsaid: 0 });
      const [oldest] = this.said.keys();
      if (this.said.size > REASONS_KEPT && oldest !== undefined) this.said.delete(oldest);
      const count = group.length + (before?.unsaid ?? 0);
      const ids = group.slice(0, IDS_SAID).map(({ id }) => id);
      const more = count > ids.length ? ` and ${count - ids.length} more` : '';
      this.logger.error(
        { sqlstate: group[0]?.refusal.sqlstate ?? null, message_ids: ids, count },
        `${textOf(ids.join(', ') + more)} (${reason}); ${follows}`,
      );
    }
  }
}

function claimKeyOf({ claim }: DueRetry): string {
  return claim === null ? '' : `${claim.id}:${claim.fence}`;
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

function counted(count: number): string {
  return count >= COUNTED_MAX ? `${COUNTED_MAX} or more` : String(count);
}

function troubleOf({ outcomes, claims, reason }: UnwrittenSummary): string | null {
  const parts = [
    ...(outcomes > 0 ? [`${counted(outcomes)} outcomes cannot be written to messages`] : []),
    ...(claims > 0 ? [`${counted(claims)} messages cannot be claimed`] : []),
  ];
  return parts.length === 0 ? null : `${parts.join(' and ')}: ${reason ?? ''}; see the table unwritten_outcomes`;
}
