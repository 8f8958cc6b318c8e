import type { Statement } from '../database.js';
import type { LiveSettings } from '../config/live-settings.js';

/** The live settings that say how long something is kept, in days; 0: for ever. */
export const LIMIT_KEYS = [
  'erase_after_days',
  'retain_sent_days',
  'retain_parked_days',
  'retain_attempts_days',
  'retain_actions_days',
] as const;
export type LimitKey = (typeof LIMIT_KEYS)[number];

/** Days per setting; 0 where nothing is to go, and where it is not known whether something is. */
export type Limits = Readonly<Record<LimitKey, number>>;

export const FIELD_OF: Readonly<Record<LimitKey, keyof LiveSettings>> = {
  erase_after_days: 'eraseAfterDays',
  retain_sent_days: 'retainSentDays',
  retain_parked_days: 'retainParkedDays',
  retain_attempts_days: 'retainAttemptsDays',
  retain_actions_days: 'retainActionsDays',
};

/** Where a walk is: behind everything up to this time (microseconds since 1970; null: none is compared) and id. */
export interface Place {
  readonly at: number | null;
  readonly id: number;
}

/** What one batch came to. */
export interface BatchResult {
  /** Rows that were looked at; fewer than were allowed: there are no more. */
  readonly seen: number;
  /** Rows that were to go and are locked or claimed at this moment. */
  readonly skipped: number;
  /** Rows that PostgreSQL was asked to change, and kept as they were. */
  readonly kept: number;
  readonly done: number;
  /** Whether triggers may have put back what was done, after it was counted. */
  readonly hasLaterTriggers?: boolean;
  /** Null: nothing was seen, or the walk always begins at the start. */
  readonly last: Place | null;
}

export interface SingleResult extends Omit<BatchResult, 'kept'> {
  readonly refused: number;
  /** Of one of those that were refused. */
  readonly sqlstate: string | null;
  readonly reason: string | null;
}

/**
 * A way through one table from its oldest rows to those that are too young to go. `$1` rows, `$2` days, `$3` this process's
 * time in milliseconds; with `singly` also `$4` and `$5` the place to go on after.
 */
export interface Walk {
  readonly name: string;
  /** What it does, for people. */
  readonly text: string;
  /** After how many days; 0: not at all. */
  days(limits: Limits): number;
  readonly batch: Statement;
  /** The same with each row by itself, where rows may be refused; where the next row is; and what of a batch was put back. */
  readonly singly: { readonly statement: Statement; readonly look: Statement; readonly left: Statement } | null;
  /** Whether it goes on from a place; otherwise what is done is gone, and each walk begins at the start. */
  readonly hasPlace: boolean;
  /** Whether it needs the right to delete from `messages`. */
  readonly deletesMessages: boolean;
}

/**
 * What is older goes. The clock of the database alone does not decide: one that is years ahead would have everything go.
 */
export const CUTOFF = `(SELECT least(clock_timestamp(), to_timestamp($3::float8 / 1000)) - $2::int * interval '24 hours')`;
