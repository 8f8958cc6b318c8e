/** The columns that a company's table must have, and the kinds of type that are taken. */
export const REQUIRED_COLUMNS = [
  { name: 'id', needed: 'INTEGER or BIGINT', takes: (type) => ['integer', 'bigint'].includes(type.base) },
  { name: 'recipient_phone', needed: 'TEXT, VARCHAR or CHAR', takes: (type) => type.category === 'S' },
  { name: 'content', needed: 'TEXT, VARCHAR or CHAR', takes: (type) => type.category === 'S' },
  { name: 'sent_status', needed: 'BOOLEAN', takes: (type) => type.base === 'boolean' },
  {
    name: 'sent_at',
    needed: 'TIMESTAMP without time zone',
    takes: (type) => type.base === 'timestamp without time zone',
  },
] as const satisfies readonly {
  name: string;
  needed: string;
  takes: (type: { readonly base: string; readonly category: string }) => boolean;
}[];

/** The columns that the service adds to `messages`; `unused` is true of a row that holds nothing of anybody's there. */
export const OWN_COLUMNS = [
  { name: 'message_id', type: 'text', unused: 'message_id IS NULL' },
  // Whatever time a company keeps there, it is only read.
  { name: 'created_at', type: 'timestamp with time zone', unused: 'TRUE' },
  { name: 'attempts', type: 'integer', unused: 'attempts = 0' },
  { name: 'next_attempt_at', type: 'timestamp with time zone', unused: 'next_attempt_at IS NULL' },
  { name: 'claimed_by', type: 'bigint', unused: 'claimed_by IS NULL' },
  { name: 'claim_fence', type: 'integer', unused: 'claim_fence IS NULL' },
  { name: 'parked_as', type: 'text', unused: 'parked_as IS NULL' },
  { name: 'parked_reason', type: 'text', unused: 'parked_reason IS NULL' },
  { name: 'parked_at', type: 'timestamp with time zone', unused: 'parked_at IS NULL' },
  { name: 'doubt', type: 'text', unused: 'doubt IS NULL' },
  { name: 'sit_outs', type: 'integer', unused: 'sit_outs = 0' },
] as const;

/** A table that has all of these, with their types, is one of the service's own that was restored from a backup. */
export const MARKS_OF_A_RESTORED_TABLE: readonly string[] = [
  'claimed_by',
  'claim_fence',
  'parked_as',
  'next_attempt_at',
];

/** The service's own tables, each with the migration that makes it. */
export const OWN_TABLES: Readonly<Record<string, string>> = {
  scheduler_state: 'CreateSchedule1763900000004',
  dispatch_jobs: 'CreateSchedule1763900000004',
  delivery_attempts: 'CreateDeliveryAttempts1763900000005',
  operator_actions: 'CreateOperatorActions1763900000006',
  imports: 'CreateImportsAndIntakeKeys1763900000008',
  intake_keys: 'CreateImportsAndIntakeKeys1763900000008',
  unwritten_outcomes: 'CreateUnwrittenOutcomes1763900000014',
  fleet_settings: 'CreateFleetSettings1763900000015',
  retention_state: 'CreateRetention1763900000030',
  retention_walks: 'CreateRetention1763900000030',
  clock_set_backs: 'KeepLimitsSetBacksAndFiles1763900000032',
  file_settings: 'KeepLimitsSetBacksAndFiles1763900000032',
};

/** The first migration that changes a company's table. */
export const ADOPTING_MIGRATION = 'WidenMessageId1763900000002';
/** The migration that builds the indexes of `messages`. */
export const INDEXING_MIGRATION = 'IndexWhatListsNeed1763900000017';

/** Where TypeORM notes which migrations ran. Other tools have a table `migrations`. */
export const MIGRATIONS_TABLE = 'message_dispatcher_migrations';
