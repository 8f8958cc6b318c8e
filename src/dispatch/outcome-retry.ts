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
import { WakeSignal } from '../scheduler/wake-signal.js';
import { SchemaGate } from '../schema-gate.js';
import { BatchSize } from './batch-size.js';
import { LockPatience } from './lock-patience.js';
import { OutcomeBatch, type OutcomeBatchParts } from './outcome-batch.js';

const SLICE_ROWS = 200;
/** One turn's work, so that the end of the process waits no longer for it. */
const TURN_MS = 3_000;
const AFTER_ERROR_MS = 10_000;
const LOOK_EVERY_MS = 60_000;
const SAID_AGAIN_AFTER_MS = 60_000;
const IDS_SAID = 5;
const REASONS_KEPT = 100;

/**
 * Keeps what PostgreSQL does not write to `messages`, and tries it again in the background while there is any: at the start,
 * when this process kept something, and when a job finds that another one did. With nothing kept it runs no statement.
 */
@Injectable()
export class OutcomeRetry implements OnApplicationBootstrap, BeforeApplicationShutdown {
  /** What is kept and why, for people; null when nothing is. */
  trouble: string | null = null;
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

  onApplicationBootstrap(): void {
    this.loop = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.closing = true;
    this.alarm.wake();
    await this.loop;
  }

  /** A job begins: looks at the table while something is kept, and once a minute for what a replica kept that has ended. */
  jobBegins(): void {
    if (this.trouble !== null || performance.now() - this.lookedAt > LOOK_EVERY_MS) this.alarm.wake();
  }

  /**
   * Keeps outcomes durably, those of messages that the job still has claimed; returns how many these are.
   * @throws when they cannot be kept either.
   */
  async keep(job: ClaimKey, unwritten: readonly KeptFor[]): Promise<number> {
    const kept = new Set(await this.outcomes.keep(job, unwritten));
    const refused = unwritten
      .map(({ settlement: { id }, refusal }) => ({ id, refusal }))
      .filter(({ id }) => kept.has(id));
    this.say(refused, (ids) => `The outcomes of messages ${ids} cannot be written to messages`);
    this.alarm.wake();
    return kept.size;
  }

  /** Takes note of messages that cannot be claimed. */
  notice(refused: readonly RefusedClaim[]): void {
    this.say(refused, (ids) => `Messages ${ids} cannot be claimed, so they are not sent`);
    if (refused.length > 0) this.alarm.wake();
  }

  /** Tries once what is due. Returns how long the next one has time; null when nothing is kept. */
  async turn(): Promise<number | null> {
    this.lookedAt = performance.now();
    const due = await this.outcomes.takeDue(SLICE_ROWS);
    const until = performance.now() + TURN_MS;
    await this.dropGone(due.filter(({ isThere }) => !isThere));
    const open = due.filter(({ isThere }) => isThere);
    for (const group of grouped(open, claimKeyOf).values()) {
      if (!this.closing) await this.tryAgain(group, until);
    }
    const summary = await this.outcomes.summary();
    this.trouble = troubleOf(summary);
    this.failedBy = null;
    return summary.dueInMs;
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
  private say(refused: readonly RefusedClaim[], textOf: (ids: string) => string): void {
    const now = performance.now();
    for (const [reason, group] of grouped(refused, ({ refusal }) => refusal.text)) {
      const about = textOf('') + reason;
      const before = this.said.get(about);
      if (before !== undefined && now - before.at < SAID_AGAIN_AFTER_MS) {
        before.unsaid += group.length;
        continue;
      }
      this.said.delete(about);
      this.said.set(about, { at: now, unsaid: 0 });
      const [oldest] = this.said.keys();
      if (this.said.size > REASONS_KEPT && oldest !== undefined) this.said.delete(oldest);
      const count = group.length + (before?.unsaid ?? 0);
      const ids = group.slice(0, IDS_SAID).map(({ id }) => id);
      const more = count > ids.length ? ` and ${count - ids.length} more` : '';
      this.logger.error(
        { sqlstate: group[0]?.refusal.sqlstate ?? null, message_ids: ids, count },
        `${textOf(ids.join(', ') + more)} (${reason}); they are kept in unwritten_outcomes and tried again`,
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
