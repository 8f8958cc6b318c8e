import type { OrdinaryOptions } from './ordinary/types.js';

/** What the receiver did with a request. */
export type Behaviour = 'prompt' | 'slow' | 'html' | 'busy' | 'reset' | 'late' | 'bad' | 'ordinary';

/** What the receiver is to do with one request, decided by the seed alone. */
export interface Manner {
  readonly behaviour: Behaviour;
  readonly delayMs: number;
  /** Whether the receiver takes the message, whatever the sender gets to hear. */
  readonly takes: boolean;
}

/** One request in the receiver's ledger. Times are milliseconds of the wall clock that all processes of a campaign share. */
export interface Request {
  readonly n: number;
  readonly key: string;
  readonly replica: number;
  /** The job's run that it belongs to. */
  readonly trace: string;
  readonly arrivedAt: number;
  /** When the answer was handed over; null when the sender had gone, or got none. */
  answeredAt: number | null;
  /** When the sender closed the connection before the answer. */
  cutAt: number | null;
  readonly behaviour: Behaviour;
  readonly took: boolean;
}

export type FaultKind = 'kill' | 'stall' | 'redis' | 'postgres' | 'ordinary';

/** Something that was done to a part. `until`: when the part was itself again; a kill is an instant. */
export interface Fault {
  readonly kind: FaultKind;
  /** For people: how. */
  readonly how: string;
  /** -1: not a replica. */
  readonly replica: number;
  readonly at: number;
  until: number | null;
}

/** How long the messages in the hands of a replica that was killed had to wait for somebody else. */
export interface Recovery {
  readonly replica: number;
  readonly messages: number;
  readonly killedAt: number;
  readonly freeAt: number;
}

export interface MessageRow {
  readonly id: number;
  readonly n: number;
  readonly sent: boolean;
  readonly parkedAs: string | null;
  readonly parkedReason: string | null;
  readonly parkedAt: number | null;
  readonly claimedBy: number | null;
  readonly attempts: number;
}

export interface AttemptRow {
  readonly messageId: number;
  readonly jobId: number;
  readonly number: number;
  readonly startedAt: number;
  readonly outcome: string;
  readonly error: string | null;
}

export interface JobRow {
  readonly id: number;
  readonly dueAt: number;
  readonly budget: number | null;
  readonly claimed: number;
  readonly fence: number;
}

/** What the replicas said about themselves. */
export interface LogCounts {
  readonly refusedLateWrites: number;
  readonly takenOver: number;
  readonly recoveredByReceipt: number;
}

/** All that a verdict rests on. */
export interface Evidence {
  readonly policy: Policy;
  readonly fed: number;
  readonly rateLimit: number;
  readonly webhookTimeoutMs: number;
  readonly webhookConcurrency: number;
  readonly requests: readonly Request[];
  readonly messages: readonly MessageRow[];
  readonly attempts: readonly AttemptRow[];
  readonly jobs: readonly JobRow[];
  readonly faults: readonly Fault[];
  readonly recoveries: readonly Recovery[];
  readonly logs: LogCounts;
  /** What the replicas said at level warn or above, oldest first. */
  readonly alarms: readonly string[];
  /** Replicas that ended after they had started and that nobody killed. */
  readonly endedByThemselves: readonly string[];
}

export type Policy = 'hold' | 'resend';

/** A promise that was broken, with what happened to the message. */
export interface Breach {
  readonly promise: string;
  readonly what: string;
  readonly history: readonly string[];
}

export interface Verdict {
  readonly policy: Policy;
  readonly figures: Readonly<Record<string, number>>;
  /** Why messages were requested again, or parked as uncertain, by reason. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly breaches: readonly Breach[];
}

export interface Options {
  readonly kills: number;
  readonly messages: number;
  readonly replicas: number;
  readonly seed: number;
  readonly policies: readonly Policy[];
  readonly rateLimit: number;
  readonly only: readonly string[] | null;
  readonly sabotage: Sabotage | null;
  readonly json: string | null;
  readonly keep: boolean;
  /** The campaign of ordinary life instead of the one of crashes. */
  readonly ordinary: OrdinaryOptions | null;
}

export type Sabotage = 'lease' | 'receipt' | 'fence' | 'halving' | 'doubt' | 'share';
