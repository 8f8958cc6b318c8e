import type { Logger } from '@nestjs/common';
import { databaseFaultOf, refusalOf } from '../database-fault.js';
import { FROM_THE_START, type ClaimLook, type LookFrom } from '../messages/claim-look.js';
import { INVALID_SLICE_ROWS, type InvalidPlace, type InvalidSlice } from '../messages/invalid-messages.js';
import type { MessageClaims } from '../messages/message-claims.js';
import { BatchSize } from '../batch-size.js';
import type { JobTally } from './job-tally.js';

const TARGET_MS = 250;
const START_ROWS = 100;
/** What cannot be parked is tried again after so long, and for this share of the time at most. */
const AGAIN_AFTER_MS = 60_000;
const AGAIN_SHARE = 0.05;

/** One kind of messages, which a pass goes through. What was found and not yet tried waits for the next job. */
class Lane<Place> {
  private found: readonly InvalidPlace[] = [];

  constructor(
    private at: LookFrom<Place>,
    private readonly find: (from: Place | null) => Promise<InvalidSlice<Place>>,
  ) {}

  /** Up to `rows` messages that cannot be sent; none: the lane is at its end. */
  async next(rows: number): Promise<readonly InvalidPlace[]> {
    while (this.found.length === 0 && this.at !== 'ended') {
      const { looked, invalid, next } = await this.find(this.at);
      this.found = invalid;
      // A few among many that can be sent are parked as they are met.
      const most = looked >= INVALID_SLICE_ROWS && 2 * invalid.length > looked;
      this.at = most && next !== null ? next : 'ended';
    }
    return this.found.slice(0, rows);
  }

  tried(rows: number): void {
    this.found = this.found.slice(rows);
  }
}

interface Pass {
  readonly lanes: readonly Pick<Lane<never>, 'next' | 'tried'>[];
  /** Messages that PostgreSQL does not let the service park. */
  stuck: number;
  busyMs: number;
}

/**
 * Parks messages that cannot be sent as they stand, in bulk and beside the jobs, which pass over them meanwhile. Where one is
 * invalid many may be, and a company's trigger may make parking slow, or refuse it: no message that can be sent waits for that.
 * One for each process.
 */
export class InvalidParker {
  private readonly size = new BatchSize(INVALID_SLICE_ROWS, TARGET_MS, START_ROWS);
  private pass: Pass | null = null;
  /** How many the last whole pass could not park. */
  private left = 0;
  private nextPassAt = -Infinity;
  private told: string | null = null;
  private working = false;

  constructor(
    private readonly claims: Pick<MessageClaims, 'findInvalidFresh' | 'findInvalidRetries' | 'parkInvalid'>,
    private readonly logger: Logger,
  ) {}

  /** Whether claims are to pass over messages that cannot be sent: more of them are known to lie there. */
  get passesOver(): boolean {
    return this.pass !== null || this.left > 0;
  }

  /** Whether not all of them were tried yet. */
  get isUnderWay(): boolean {
    return this.pass !== null;
  }

  /** For people; null: all is well. */
  get trouble(): string | null {
    const stuck = Math.max(this.left, this.pass?.stuck ?? 0);
    return stuck === 0 || this.told === null ? null : `${stuck} invalid messages cannot be parked: ${this.told}`;
  }

  /** A claim brought a message that cannot be sent: what lies behind `look` is gone through. */
  met(look: ClaimLook): void {
    this.begin(look);
  }

  /** What could not be parked may be by now. */
  tryAgain(): void {
    if (this.left > 0 && performance.now() >= this.nextPassAt) this.begin(FROM_THE_START);
  }

  /** Goes on for as long as `mayGoOn` allows; returns at once while another job does. */
  async goOn(mayGoOn: () => boolean, tally: Pick<JobTally, 'countInvalid'>): Promise<void> {
    if (this.working) return;
    this.working = true;
    try {
      while (this.pass !== null && mayGoOn()) {
        const startedAt = performance.now();
        const { pass } = this;
        const goesOn = await this.step(pass, tally);
        pass.busyMs += performance.now() - startedAt;
        if (!goesOn) return;
      }
    } finally {
      this.working = false;
    }
  }

  private begin({ fresh, retries }: ClaimLook): void {
    this.pass ??= {
      lanes: [
        new Lane(fresh, (from) => this.claims.findInvalidFresh(from)),
        new Lane(retries, (from) => this.claims.findInvalidRetries(from)),
      ],
      stuck: 0,
      busyMs: 0,
    };
  }

  /** Whether to go on at once. */
  private async step(pass: Pass, tally: Pick<JobTally, 'countInvalid'>): Promise<boolean> {
    let tried = 0;
    try {
      for (const lane of pass.lanes) {
        const batch = await lane.next(this.size.rows);
        tried = batch.length;
        if (tried > 0) return await this.park(pass, lane, batch, tally);
      }
    } catch (error) {
      return this.afterFault(pass, error, tried);
    }
    this.end(pass);
    return false;
  }

  private async park(
    pass: Pass,
    lane: Pick<Lane<never>, 'tried'>,
    batch: readonly InvalidPlace[],
    tally: Pick<JobTally, 'countInvalid'>,
  ): Promise<boolean> {
    const startedAt = performance.now();
    try {
      const { held, parked, samples } = await this.claims.parkInvalid(batch);
      this.size.succeeded(batch.length, performance.now() - startedAt);
      lane.tried(batch.length);
      tally.countInvalid(parked, samples);
      if (held > parked) this.stuckAt(pass, held - parked, batch, 'a trigger or a policy keeps it as it is');
    } catch (error) {
      const fault = databaseFaultOf(error);
      if ((fault !== 'refused' && fault !== 'slow') || batch.length > 1) throw error;
      lane.tried(1);
      this.stuckAt(pass, 1, batch, refusalOf(error).text);
    }
    return true;
  }

  private afterFault(pass: Pass, error: unknown, tried: number): boolean {
    switch (databaseFaultOf(error)) {
      case 'refused':
      case 'slow':
        // Fewer of them: the one that is refused is found, and the others are parked.
        if (tried > 0) this.size.timedOut(tried);
        return tried > 0;
      case 'denied':
        this.stuckAt(pass, 0, [], refusalOf(error).text);
        return false;
      case 'outage':
      case 'locked':
        // The claims of the job say so.
        return false;
    }
  }

  private stuckAt(pass: Pass, count: number, [first]: readonly InvalidPlace[], text: string): void {
    pass.stuck += count;
    if (this.told !== null) return;
    this.told = text;
    const which = first === undefined ? 'messages' : `messages, from id ${first[2]},`;
    this.logger.warn(
      `Some ${which} cannot be sent as they stand, and PostgreSQL does not let them be parked: ${text}. They are passed over; correct or delete them`,
    );
  }

  private end(pass: Pass): void {
    const before = this.left;
    this.pass = null;
    this.left = pass.stuck;
    this.nextPassAt = performance.now() + Math.max(AGAIN_AFTER_MS, pass.busyMs / AGAIN_SHARE);
    if (this.left === before) return;
    if (this.left > 0) {
      this.logger.warn(`${this.left} messages that cannot be sent as they stand cannot be parked: ${this.told ?? ''}`);
    } else {
      this.logger.log('Every message that cannot be sent as it stands could be parked');
      this.told = null;
    }
  }
}
