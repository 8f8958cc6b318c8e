import { MESSAGE_INDEXES } from '../../migrations/message-indexes.js';
import { ADOPTING_MIGRATION, INDEXING_MIGRATION, MIGRATIONS_TABLE, OWN_TABLES } from './table-contract.js';

/** What a name of the service's is given to. Tables and indexes share one space of names; a table needs that of a type, too. */
export type OwnKind = 'table' | 'index' | 'function' | 'check';

export interface OwnName {
  readonly name: string;
  readonly kind: OwnKind;
  /** The migrations that give the name to something. After the last of them it is the service's. */
  readonly madeBy: string;
}

const INDEXES: Readonly<Record<string, string>> = {
  idx_messages_unsent: INDEXING_MIGRATION,
  ...Object.fromEntries(Object.keys(MESSAGE_INDEXES).map((name) => [name, INDEXING_MIGRATION])),
  idx_messages_parked_at: 'IndexWhatRetentionReads1763900000026',
  idx_messages_sent_untimed: 'IndexWhatRetentionReads1763900000026',
  idx_dispatch_jobs_open: 'CreateSchedule1763900000004',
  idx_delivery_attempts_message: 'SlimAttemptAndSentIndexes1763900000010',
  idx_operator_actions_message: 'CreateOperatorActions1763900000006',
  idx_imports_file: 'CreateImportsAndIntakeKeys1763900000008',
  idx_imports_unfinished: 'CreateImportsAndIntakeKeys1763900000008',
  idx_imports_finished: 'CreateRetention1763900000030',
  idx_intake_keys_age: 'CreateImportsAndIntakeKeys1763900000008',
  idx_unwritten_outcomes_retry: 'CreateUnwrittenOutcomes1763900000014',
};

const FUNCTIONS: Readonly<Record<string, string>> = {
  dispatcher_try_claims: 'TryClaimsAsTheyAreMade1763900000025',
  dispatcher_forget_singly: 'CreateRetention1763900000030',
  dispatcher_message_hash: 'TellKeptMessagesApart1763900000035',
};

/** Checks of `messages`, as PostgreSQL shows them. */
export const OWN_CHECKS: Readonly<Record<string, string>> = {
  messages_parked_as_check: "CHECK ((parked_as = ANY (ARRAY['failed'::text, 'uncertain'::text, 'cancelled'::text])))",
  messages_sent_status_known: 'CHECK ((sent_status IS NOT NULL))',
};

const CHECKS: Readonly<Record<string, string>> = {
  messages_parked_as_check: ADOPTING_MIGRATION,
  messages_sent_status_known: 'CountNullAsUnsent1763900000020',
};

/** The arguments of the service's functions: one that has these, by name and type, is the service's. */
export const OWN_ARGUMENTS: readonly string[] = [
  'candidates bigint[], time_limit interval',
  'recipient_phone text, content text, created_at text',
  'candidates bigint[], as_job bigint, as_fence integer, time_limit interval, slow_after interval',
  'act text, candidates bigint[], sources oid[], places tid[], cutoff timestamp with time zone, time_limit interval',
];

/**
 * Every name that a migration gives to something. Not those that PostgreSQL makes up, of primary keys, sequences and types
 * of arrays: where such a name is taken, it makes up another one.
 */
export const OWN_NAMES: readonly OwnName[] = [
  { name: 'messages', kind: 'table', madeBy: ADOPTING_MIGRATION },
  { name: MIGRATIONS_TABLE, kind: 'table', madeBy: ADOPTING_MIGRATION },
  ...named('table', OWN_TABLES),
  ...named('index', INDEXES),
  ...named('function', FUNCTIONS),
  ...named('check', CHECKS),
];

function named(kind: OwnKind, names: Readonly<Record<string, string>>): OwnName[] {
  return Object.entries(names).map(([name, madeBy]) => ({ name, kind, madeBy }));
}
