import type { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { databaseFaultOf, postgresErrorOf, refusalOf } from '../database-fault.js';
import { FROM_THE_START, type ClaimLook } from '../messages/claim-look.js';
import type { ClaimKey, MessageClaims } from '../messages/message-claims.js';
import { KEPT_AS_IT_WAS } from '../messages/claim-conditions.js';
import type { RefusedClaims } from '../messages/refused-claims.js';
import { CANCELLED, type WriteRefusal } from '../messages/unwritten-outcomes.js';
import { isOfFunction } from '../postgres-error.js';
import type { BatchSize } from '../batch-size.js';
import type { LockPatience } from './lock-patience.js';
import type { OutcomeRetry } from './outcome-retry.js';
import { RefusedSearch } from './refused-search.js';
import type { RefusedStretches } from './refused-stretches.js';

/** So long a job looks for the messages that PostgreSQL refuses to have claimed; the next job goes on with it. */
const SEARCH_MS = 5_000;
/** A lock on the table or on the job's row is waited for so long in all, as long as for any answer. */
const TABLE_LOCKED_MS = 8_000;
const TABLE_LOCKED_PAUSE_MS = 100;
/** So many probes of a job may meet a message that cannot be claimed. */
const PROBES_MAX = 3;
/** So many messages a job sets aside because a claim of each one alone failed. */
const SINGLES_MAX = 50;
const TOO_SLOW: WriteRefusal = { sqlstate: CANCELLED, text: 'the row took longer to claim than a statement may take' };

/** What a job works with to claim past messages that PostgreSQL refuses. */
export interface ClaimFaultParts {
  readonly refused: RefusedClaims;
  readonly stretches: RefusedStretches;
  readonly claims: Pick<MessageClaims, 'work' | 'setNextAside'>;
  readonly retry: OutcomeRetry;
  readonly size: BatchSize;
  readonly patience: LockPatience;
  /** Why the last job could claim nothing, as the log was told; shared by all jobs. */
  readonly told: { text: string | null };
  readonly logger: Logger;
}

/** What a claim that failed would have taken. */
interface Taken {
  readonly look: ClaimLook;
  readonly validOnly: boolean;
}

const ANY: Taken = { look: FROM_THE_START, validOnly: false };

/**
 * Decides what becomes of a job after one of its claims failed. Messages that PostgreSQL refuses, whose trigger waits for a lock
 * or takes too long are looked for one by one and set aside. What that search does not find is found by claiming: half as many
 * each time, and the single message whose claim fails is set aside.
 */
export class ClaimFaults {
  private searchedMs = 0;
  /** Grows again with what is claimed; `size` counts as well. */
  private part = Infinity;
  private lockedSince: number | null = null;
  private probesFailed = 0;
  private singles = 0;

  constructor(
    private readonly parts: ClaimFaultParts,
    private readonly job: ClaimKey,
  ) {}

  /** How many messages a claim may take: fewer where a trigger makes claiming slow. */
  get rowsMax(): number {
    return Math.max(1, Math.min(this.part, this.parts.size.rows));
  }

  get lockPatienceMs(): number {
    return this.parts.patience.ms;
  }

  succeeded(rows: number, durationMs: number): void {
    this.parts.size.succeeded(Math.max(1, rows), durationMs);
    this.part *= 2;
    this.lockedSince = null;
    if (rows > 0) this.parts.told.text = null;
  }

  /**
   * Takes note of messages whose claims were put back. Where a claim brought no others, thousands may be: they are looked for in
   * bulk. Returns whether some were found.
   */
  async afterPutBack(ids: readonly number[], claimed: number, look: ClaimLook, validOnly: boolean): Promise<boolean> {
    this.parts.retry.notice(ids.map((id) => ({ id, refusal: { sqlstate: null, text: KEPT_AS_IT_WAS } })));
    return claimed === 0 && (await this.setAside(false, { look, validOnly }));
  }

  /** After a claim of `rows` messages with this look failed: why the job ends; null when the claim can be made again at once. */
  async after(error: unknown, rows: number, look: ClaimLook, validOnly: boolean): Promise<string | null> {
    const taken = { look, validOnly };
    const refusal = refusalOf(error);
    switch (databaseFaultOf(error)) {
      case 'outage':
        return this.end('PostgreSQL was unreachable', error);
      case 'denied':
        return this.end(`PostgreSQL refuses every claim: ${refusal.text}`, null);
      case 'slow':
        // Straight to one: of few rows each further time-out costs as much as this one, and a claim of one costs little.
        this.parts.size.timedOut(1);
        if ((await this.setAside(true, taken)) || rows > 1) return null;
        return await this.setNextAside(taken, TOO_SLOW, 'PostgreSQL takes too long to claim a single message');
      case 'locked':
        this.parts.patience.inVain();
        if (!isInFunction(error)) return await this.waitForTable();
        return await this.narrow(rows, taken, refusal, 'a trigger waits for a lock that another transaction keeps');
      case 'refused':
        return await this.narrow(rows, taken, refusal, 'PostgreSQL refuses a claim');
    }
  }

  /** After the claim of a probe failed, which lies anywhere: another one is tried at another place. */
  async afterProbe(error: unknown): Promise<string | null> {
    const fault = databaseFaultOf(error);
    this.probesFailed += 1;
    const isOfOneRow = fault === 'refused' || fault === 'slow' || fault === 'locked';
    if (isOfOneRow && ((await this.setAside(fault === 'slow')) || this.probesFailed < PROBES_MAX)) return null;
    return this.end(`the probe cannot be claimed: ${refusalOf(error).text}`, fault === 'outage' ? error : null);
  }

  /** Whether messages were found that cannot be claimed; they are passed over from now on. */
  async setAside(isSlow = false, taken: Taken = ANY): Promise<boolean> {
    const startedAt = performance.now();
    const { refused, stretches, claims } = this.parts;
    const { look, validOnly } = taken;
    const fresh = look.fresh ?? claims.work.freshFrom;
    const retries = look.retries ?? claims.work.retriesFrom;
    const until = startedAt + SEARCH_MS - this.searchedMs;
    const search = new RefusedSearch(refused, stretches, this.job, { fresh, retries, validOnly }, until);
    try {
      await search.run(isSlow);
    } catch {
      // Whoever asked says what became of the claim.
    }
    this.searchedMs += performance.now() - startedAt;
    this.parts.retry.notice(search.found);
    return search.found.length > 0;
  }

  private async narrow(rows: number, taken: Taken, refusal: WriteRefusal, text: string): Promise<string | null> {
    // While claims are halved, the search has been made.
    if (this.part > rows && (await this.setAside(false, taken))) return null;
    if (rows > 1) {
      this.part = Math.floor(rows / 2);
      return null;
    }
    return await this.setNextAside(taken, refusal, `${text}, and the message could not be found: ${refusal.text}`);
  }

  private async setNextAside(taken: Taken, refusal: WriteRefusal, text: string): Promise<string | null> {
    this.singles += 1;
    if (this.singles > SINGLES_MAX) return this.end(text, null);
    try {
      const id = await this.parts.claims.setNextAside(this.job, taken.look, taken.validOnly, refusal);
      if (id === null) return this.end(text, null);
      this.parts.retry.notice([{ id, refusal }]);
      return null;
    } catch (error) {
      return this.end(text, error);
    }
  }

  private async waitForTable(): Promise<string | null> {
    const now = performance.now();
    this.lockedSince ??= now;
    if (now - this.lockedSince > TABLE_LOCKED_MS) {
      return this.end('another transaction keeps a table locked that a claim needs', null);
    }
    await sleep(TABLE_LOCKED_PAUSE_MS);
    return null;
  }

  /** The text of an error that says what a row holds is never logged. Of jobs that end alike the first one says it. */
  private end(text: string, error: unknown): string {
    const details = error === null ? { job: this.job.id } : { err: error, job: this.job.id };
    if (this.parts.told.text !== text) {
      this.parts.logger.warn(details, `no messages could be claimed; the job ends early: ${text}`);
    }
    this.parts.told.text = text;
    return text;
  }
}

function isInFunction(error: unknown): boolean {
  const link = postgresErrorOf(error);
  return link !== null && isOfFunction(link);
}
