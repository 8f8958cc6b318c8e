import type { Logger } from '@nestjs/common';
import { databaseFaultOf, refusalOf } from '../database-fault.js';
import { KEPT_AS_IT_WAS } from '../messages/claim-conditions.js';
import type { RefusedClaims } from '../messages/refused-claims.js';
import type { SendableLook } from '../messages/sendable-look.js';
import type { BatchSize } from './batch-size.js';
import type { OutcomeRetry } from './outcome-retry.js';

/** So long a job looks for the messages that PostgreSQL refuses to have claimed; the next job goes on with it. */
const SEARCH_MS = 5_000;

/** What a job works with to claim past messages that PostgreSQL refuses. */
export interface ClaimFaultParts {
  readonly refused: RefusedClaims;
  /** Where what may be sent begins. */
  readonly work: Pick<SendableLook, 'freshFrom' | 'retriesFrom'>;
  readonly retry: OutcomeRetry;
  readonly size: BatchSize;
  readonly logger: Logger;
}

/** Decides what becomes of a job after one of its claims failed. */
export class ClaimFaults {
  private searchedMs = 0;

  constructor(
    private readonly parts: ClaimFaultParts,
    private readonly jobId: number,
  ) {}

  /** How many messages a claim may take: fewer where a trigger makes claiming slow. */
  get rowsMax(): number {
    return this.parts.size.rows;
  }

  succeeded(rows: number, durationMs: number): void {
    this.parts.size.succeeded(Math.max(1, rows), durationMs);
  }

  /** Takes note of messages whose claims were put back. */
  notice(ids: readonly number[]): void {
    this.parts.retry.notice(ids.map((id) => ({ id, refusal: { sqlstate: null, text: KEPT_AS_IT_WAS } })));
  }

  /** Why the job ends; null when the claim can be made again at once. */
  async after(error: unknown, rows: number): Promise<string | null> {
    const refusal = refusalOf(error);
    switch (databaseFaultOf(error)) {
      case 'outage':
        return this.end('PostgreSQL was unreachable', error);
      case 'slow':
        this.parts.size.timedOut(rows);
        return rows > 1 ? null : this.end('PostgreSQL takes too long to claim a single message', error);
      case 'locked':
        return this.end('another transaction keeps a table locked that a claim needs', error);
      case 'denied':
        return this.end(`PostgreSQL refuses every claim: ${refusal.text}`, null);
      case 'refused':
        if (await this.setAside()) return null;
        return this.end(`PostgreSQL refuses a claim, and the message could not be found: ${refusal.text}`, null);
    }
  }

  /** Whether messages were found that cannot be claimed; they are passed over from now on. */
  async setAside(): Promise<boolean> {
    const startedAt = performance.now();
    try {
      const { freshFrom: fresh, retriesFrom: retries } = this.parts.work;
      const refused = await this.parts.refused.setAside(startedAt + SEARCH_MS - this.searchedMs, { fresh, retries });
      this.parts.retry.notice(refused);
      return refused.length > 0;
    } catch {
      // Whoever asked says what became of the claim.
      return false;
    } finally {
      this.searchedMs += performance.now() - startedAt;
    }
  }

  /** The text of an error that says what a row holds is never logged. */
  private end(text: string, error: unknown): string {
    const details = error === null ? { job: this.jobId } : { err: error, job: this.jobId };
    this.parts.logger.warn(details, `no messages could be claimed; the job ends early: ${text}`);
    return text;
  }
}
