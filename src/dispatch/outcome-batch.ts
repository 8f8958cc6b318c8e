import { databaseFaultOf, refusalOf } from '../database-fault.js';
import type { ClaimKey } from '../messages/message-claims.js';
import { KEPT_AS_IT_WAS } from '../messages/claim-conditions.js';
import type { MessageSettlements, Settlement } from '../messages/message-settlements.js';
import { CANCELLED, type Unwritten, type WriteRefusal } from '../messages/unwritten-outcomes.js';
import type { BatchSize } from '../batch-size.js';
import type { LockPatience } from './lock-patience.js';

/** What one statement came to. */
export interface BatchStep {
  readonly written: readonly Settlement[];
  /** What PostgreSQL does not write, each for a reason of its own. */
  readonly unwritten: readonly Unwritten[];
  /** What was not ours to write: the message is gone, or its claim has passed on or was written before. */
  readonly passed: readonly Settlement[];
}

/** What a batch is written with; size and patience are learned, and shared by all batches. */
export interface OutcomeBatchParts {
  readonly settlements: MessageSettlements;
  readonly size: BatchSize;
  readonly patience: LockPatience;
}

const NOTHING: BatchStep = { written: [], unwritten: [], passed: [] };
const LOCKED: WriteRefusal = { sqlstate: '55P03', text: 'another transaction keeps the row locked' };
const KEPT: WriteRefusal = { sqlstate: null, text: KEPT_AS_IT_WAS };
const TOO_SLOW: WriteRefusal = { sqlstate: CANCELLED, text: 'the row took longer to write than a statement may take' };
/** Class 22 of SQLSTATE: data that PostgreSQL never takes. */
const DATA_FAULT = /^22/;

/**
 * Outcomes of one owner of a job on their way to `messages`, one statement at a time. A statement that PostgreSQL refuses or
 * that takes too long is halved, down to the row that is the cause; the others are written. So is one with a trigger that waits
 * for a lock, each half for less time than the one before.
 */
export class OutcomeBatch {
  private open: readonly Settlement[];
  /** Grows again with what is written; `size` counts as well. */
  private part = Infinity;
  private withoutTexts = false;

  constructor(
    private readonly parts: OutcomeBatchParts,
    private readonly claim: ClaimKey,
    outcomes: readonly Settlement[],
    /** Whether some may have been written before, their reply lost. */
    private again: boolean,
    /** Whether they stand in `unwritten_outcomes`. */
    private readonly kept = false,
  ) {
    this.open = outcomes;
  }

  /** What is neither written nor known to be refused. */
  get left(): readonly Settlement[] {
    return this.open;
  }

  /** Gives up what is left, for a reason that counts for all of it. */
  takeRest(text: string): Unwritten[] {
    const rest = this.open.map((settlement) => ({ settlement, refusal: { sqlstate: null, text } }));
    this.open = [];
    return rest;
  }

  /** Runs one statement. @throws when PostgreSQL is unreachable, or a table is locked; nothing is lost, and the step can be repeated. */
  async step(): Promise<BatchStep> {
    const rows = Math.max(1, Math.min(this.part, this.parts.size.rows));
    const outcomes = this.open.slice(0, rows);
    const startedAt = performance.now();
    try {
      const settled = await this.parts.settlements.settle(
        this.claim,
        this.withoutTexts ? outcomes.map(textless) : outcomes,
        this.again,
        this.kept,
        this.parts.patience.ms,
      );
      this.parts.size.succeeded(outcomes.length, performance.now() - startedAt);
      const step = await this.sorted(outcomes, settled);
      this.part = 2 * rows;
      this.withoutTexts = false;
      this.open = this.open.slice(outcomes.length);
      return step;
    } catch (error) {
      // One of the two statements of a settlement may have been done.
      this.again = true;
      return await this.afterFault(error, outcomes);
    }
  }

  private async sorted(outcomes: readonly Settlement[], settled: readonly number[]): Promise<BatchStep> {
    if (settled.length === outcomes.length) return { ...NOTHING, written: outcomes };
    const done = new Set(settled);
    const missing = outcomes.filter(({ id }) => !done.has(id));
    const unproven = new Set(await this.parts.settlements.unproven(this.claim, missing, this.kept));
    return {
      written: outcomes.filter(({ id }) => done.has(id)),
      unwritten: missing.filter(({ id }) => unproven.has(id)).map((settlement) => ({ settlement, refusal: KEPT })),
      passed: missing.filter(({ id }) => !unproven.has(id)),
    };
  }

  private async afterFault(error: unknown, outcomes: readonly Settlement[]): Promise<BatchStep> {
    const refusal = refusalOf(error);
    switch (databaseFaultOf(error)) {
      case 'outage':
        throw error;
      case 'denied':
        return this.leaveOut(outcomes, refusal);
      case 'slow':
        this.parts.size.timedOut(outcomes.length);
        if (outcomes.length > 1) return NOTHING;
        await this.throwForTableLock();
        return this.leaveOut(outcomes, TOO_SLOW);
      case 'locked':
        return await this.aroundLocks(outcomes);
      case 'refused':
        return this.halved(outcomes, refusal);
    }
  }

  private async aroundLocks(outcomes: readonly Settlement[]): Promise<BatchStep> {
    this.parts.patience.inVain();
    await this.throwForTableLock();
    const locked = new Set(await this.parts.settlements.locked(outcomes.map(({ id }) => id)));
    // Free by now, or it was a lock of something else.
    if (locked.size === 0) return this.halved(outcomes, LOCKED);
    return this.leaveOut(
      outcomes.filter(({ id }) => locked.has(id)),
      LOCKED,
    );
  }

  /** No row can be written before such a lock is gone, and no smaller batch helps. */
  private async throwForTableLock(): Promise<void> {
    const lock = await this.parts.settlements.tableLock();
    if (lock !== null) throw lock;
  }

  private halved(outcomes: readonly Settlement[], refusal: WriteRefusal): BatchStep {
    if (outcomes.length > 1) {
      this.part = Math.floor(outcomes.length / 2);
      return NOTHING;
    }
    if (DATA_FAULT.test(refusal.sqlstate ?? '') && !this.withoutTexts) {
      this.withoutTexts = true;
      this.part = 1;
      return NOTHING;
    }
    this.withoutTexts = false;
    return this.leaveOut(outcomes, refusal);
  }

  private leaveOut(outcomes: readonly Settlement[], refusal: WriteRefusal): BatchStep {
    const out = new Set(outcomes);
    this.open = this.open.filter((settlement) => !out.has(settlement));
    return { ...NOTHING, unwritten: outcomes.map((settlement) => ({ settlement, refusal })) };
  }
}

function textless(settlement: Settlement): Settlement {
  const { attempt } = settlement;
  return {
    ...settlement,
    messageId: null,
    reason: settlement.reason === null ? null : 'see the log',
    attempt: attempt && { ...attempt, error: null, responseExcerpt: null },
  };
}
