/** The value of `webhook_url` that means the built-in receiver, where there is one. */
export const SANDBOX = 'sandbox';

/** The settings that change while the service runs: one frozen snapshot of all of them. */
export interface LiveSettings {
  readonly autoSending: boolean;
  /** `R`: messages per job. */
  readonly rateLimit: number;
  /** `I`: from slot to slot. */
  readonly schedulerIntervalMs: number;
  /** `C`: jobs that may wait. */
  readonly schedulerQueueCapacity: number;
  /** Jobs that may run at once in the whole fleet. */
  readonly schedulerWorkers: number;
  /** null: nothing is sent until one is set. */
  readonly webhookUrl: string | null;
  /** null: the header is left out. */
  readonly webhookAuthKey: string | null;
  /** `whsec_…`, the one in use first; null: requests are not signed. */
  readonly webhookSigningSecrets: readonly string[] | null;
  readonly webhookTimeoutMs: number;
  /** Requests in flight at once, at most, per replica. */
  readonly webhookConcurrency: number;
  readonly maxAttempts: number;
  /** The pause after attempt 1, 2, …; the last one repeats. */
  readonly retryScheduleMs: readonly number[];
  readonly onUncertain: 'resend' | 'hold';
  /** Days after which number and text of a sent or parked message are overwritten; 0: never. */
  readonly eraseAfterDays: number;
  /** Days after which each of these is deleted; 0: never. Attempts go with their message in any case. */
  readonly retainSentDays: number;
  readonly retainParkedDays: number;
  readonly retainAttemptsDays: number;
  readonly retainActionsDays: number;
}

/** What a subscriber is told: both snapshots, and which settings differ. */
export interface LiveChange {
  readonly before: LiveSettings;
  readonly after: LiveSettings;
  readonly keys: ReadonlySet<keyof LiveSettings>;
}
