import type { Evidence, JobRow, MessageRow } from '../types.js';

/**
 * What lies in the table. `good`: the receiver takes it at once. `due`: the same, and it waits for its second attempt.
 * `bad`: the receiver answers its number with a status of the list, whatever the others get. `invalid`: no phone number.
 * `cursed`: a trigger refuses every change of the row. `unmarkable`: a trigger refuses to mark it as sent. `legacy`: it breaks a
 * constraint that is NOT VALID. `parked`: failed long ago. `unsure`: whoever stored it never heard whether it was stored.
 */
export type Kind = 'good' | 'due' | 'bad' | 'invalid' | 'cursed' | 'unmarkable' | 'legacy' | 'parked' | 'unsure';

/** A row that was given to the table. Times are milliseconds of the machine's wall clock. */
export interface Fed {
  readonly n: number;
  kind: Kind;
  /** When its commit was known. */
  committedAt: number;
}

/** What somebody did to a row by SQL. `until`: when the lock was given up. */
export interface HandAct {
  readonly n: number;
  readonly what: 'marked' | 'deleted' | 'locked';
  readonly at: number;
  until: number;
}

/** An operator's stop, and the start after it. null: not yet. */
export interface StopWord {
  readonly askedAt: number;
  /** When "Stopped" was answered. */
  saidAt: number | null;
  /** When the start was asked for. */
  startedAt: number | null;
  /** When "Started" was answered. */
  runsAt: number | null;
  /** Replies other than "Stopped", such as that it is not confirmed yet. */
  readonly replies: string[];
}

/** Time during which no turn passes. */
export interface Pause {
  readonly from: number;
  until: number;
  readonly why: string;
}

/** What a replica's process took at one instant. */
export interface Vital {
  readonly at: number;
  readonly replica: number;
  readonly pid: number;
  readonly rssMb: number;
  readonly descriptors: number;
}

/** What a replica's probes said at one instant; null: nothing within the time of a probe. */
export interface Probe {
  readonly at: number;
  readonly replica: number;
  readonly live: number | null;
  readonly ready: number | null;
  /** Why nothing is sent, in the replica's own words; null: it sees nothing wrong. */
  readonly says: string | null;
}

/** Whether sending ran, by the database, at one instant. */
export interface Reading {
  readonly at: number;
  readonly running: boolean;
  readonly intervalMs: number;
}

export interface OrdinaryJob extends JobRow {
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly sent: number;
  readonly notSent: number;
  readonly state: string;
  readonly note: string | null;
}

export interface OrdinaryRow extends MessageRow {
  readonly providerId: string | null;
}

export interface OrdinaryEvidence extends Evidence {
  readonly messages: readonly OrdinaryRow[];
  readonly jobs: readonly OrdinaryJob[];
  readonly intervalMs: number;
  readonly startedAt: number;
  /** When harm ended; what is good must have gone out soon after. */
  readonly endedAt: number;
  /** When the ledger was read. */
  readonly readAt: number;
  readonly rows: readonly Fed[];
  readonly acts: readonly HandAct[];
  readonly words: readonly StopWord[];
  readonly pauses: readonly Pause[];
  readonly vitals: readonly Vital[];
  readonly probes: readonly Probe[];
  readonly readings: readonly Reading[];
  /** How many calls of the API ended with each status; 0: without an answer. */
  readonly calls: Readonly<Record<string, number>>;
}

/** Numbers of the campaign of ordinary life. */
export interface OrdinaryOptions {
  readonly seconds: number;
  readonly parked: number;
  readonly due: number;
  readonly workers: number;
  /** Calls a minute that each replica's API allows. */
  readonly apiRate: number;
  /** Only these harms; null: all. */
  readonly harms: readonly string[] | null;
}
