import type { Logger } from '@nestjs/common';
import type { Settlement } from '../messages/message-settlements.js';
import type { Job } from '../scheduler/job.js';
import type { Delivery } from './delivery.js';

/** Failures beyond these are counted in the job's summary and logged at debug level only. */
const LOGGED_FAILURES = 5;

/** What is known after an outcome other than acceptance. */
const MEANINGS: Readonly<Record<Exclude<Delivery['outcome'], 'accepted'>, string>> = {
  refused: 'the receiver does not take it',
  unavailable: 'the receiver did not take it this time',
  channel: 'it was not sent',
  uncertain: 'it may have been sent',
};

/** Counts a job's outcomes and says them in the log: one summary per job, and its first few failures. */
export class JobTally {
  private accepted = 0;
  private failures = 0;
  private warnedOfMissingId = false;
  private readonly byOutcome = new Map<string, number>();
  private readonly startedAt = performance.now();

  constructor(
    private readonly logger: Logger,
    private readonly job: Job,
    /** Whether the way is known to be in trouble: then its failures are expected. */
    private readonly quiet: boolean,
  ) {}

  get sent(): number {
    return this.accepted;
  }

  /** Whether the receiver had something to say of a message itself. */
  get gotThrough(): boolean {
    return this.accepted > 0 || this.byOutcome.has('refused');
  }

  get notSent(): number {
    return this.failures;
  }

  count(id: number, delivery: Delivery): void {
    this.byOutcome.set(delivery.outcome, (this.byOutcome.get(delivery.outcome) ?? 0) + 1);
    if (delivery.outcome === 'accepted') {
      this.accepted += 1;
      if (delivery.messageId === null && !this.warnedOfMissingId) {
        this.warnedOfMissingId = true;
        this.logger.warn(
          { ...this.trace, message_id: id },
          'the receiver answers without a usable messageId; messages count as sent all the same',
        );
      }
      return;
    }
    this.failures += 1;
    const line = `message ${id}: ${delivery.error}; ${MEANINGS[delivery.outcome]} (${delivery.outcome})`;
    if (this.failures <= LOGGED_FAILURES && !this.quiet) this.logger.warn(this.trace, line);
    else this.logger.debug(this.trace, line);
  }

  /** A message for which no request was made. */
  invalid(settlement: Settlement): Settlement {
    this.countInvalid(1, [settlement]);
    return settlement;
  }

  /** The same for many, of which `samples` are some. */
  countInvalid(count: number, samples: readonly Pick<Settlement, 'id' | 'state' | 'reason'>[]): void {
    const before = this.byOutcome.get('invalid') ?? 0;
    if (count > 0) this.byOutcome.set('invalid', before + count);
    for (const { id, state, reason } of samples.slice(0, Math.max(0, LOGGED_FAILURES - before)))
      this.logger.warn(this.trace, `message ${id} cannot be sent and is parked as ${state}: ${reason ?? ''}`);
  }

  /** The job's one line, at debug level when it says nothing new; a job that did nothing says nothing. */
  summarize(note: string | null, trouble: string | null, isNews: boolean): void {
    const outcomes = [...this.byOutcome].map(([outcome, count]) => `${count} ${outcome}`);
    if (outcomes.length === 0 && note === null) return;
    const ms = Math.round(performance.now() - this.startedAt);
    const early = note === null ? '' : `; ended early: ${note}`;
    const why = trouble === null || trouble === note ? '' : `; ${trouble}`;
    const line = `job ${this.job.id}: ${outcomes.join(', ') || 'nothing sent'}${early}${why}`;
    if (isNews) this.logger.log({ ...this.trace, duration_ms: ms }, line);
    else this.logger.debug({ ...this.trace, duration_ms: ms }, line);
  }

  private get trace() {
    return { 'trace.id': this.job.correlationId, job: this.job.id };
  }
}
