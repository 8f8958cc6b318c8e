import { LOWEST_ID } from '../messages/claim-conditions.js';
import { KEPT_DAYS } from '../messages/intake-keys.js';
import { CUTOFF, type Limits, type Walk } from './walk.js';

/** A file that is imported again after this long is taken for a new one. */
const IMPORTS_DAYS = 400;

const plain = (
  name: string,
  text: string,
  days: (limits: Limits) => number,
  statement: string,
  hasPlace = false,
): Walk => ({
  name,
  text,
  days,
  batch: { name: `retention.${name}`, text: statement },
  singly: null,
  hasPlace,
  deletesMessages: false,
});

const COUNTS = `(SELECT count(*) FROM seen) AS seen, (SELECT count(*) FROM done) AS done, 0 AS skipped, 0 AS kept`;

/** The rows of a table whose index by `time` leads to the oldest ones. */
const oldest = (table: string, time: string) => `
    WITH seen AS MATERIALIZED (
      SELECT ctid AS place FROM ${table} WHERE ${time} < ${CUTOFF} ORDER BY ${time} LIMIT $1 FOR UPDATE SKIP LOCKED
    ), done AS (
      DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT place FROM seen)) RETURNING ${time}
    )
    SELECT ${COUNTS}, NULL AS last`;

/** The tables beside `messages`, which are all the service's own. */
export const TABLE_WALKS: readonly Walk[] = [
  plain(
    'attempts-without-message',
    'deletes attempts whose message is gone',
    orphanDays,
    // Looked for one by one: a join might read all of `messages`.
    `
    WITH seen AS MATERIALIZED (
      SELECT message_id FROM delivery_attempts WHERE message_id > coalesce($5::bigint, ${LOWEST_ID}) AND $4::bigint IS NULL
      ORDER BY message_id, id LIMIT $1
    ), done AS (
      DELETE FROM delivery_attempts WHERE message_id = ANY (ARRAY(
        SELECT message_id FROM seen
        WHERE (SELECT message.id FROM messages message WHERE message.id = seen.message_id LIMIT 1) IS NULL))
        AND started_at < ${CUTOFF}
      RETURNING message_id
    )
    SELECT ${COUNTS}, (SELECT json_build_object('at', NULL, 'id', max(message_id)) FROM seen HAVING count(*) > 0) AS last`,
    true,
  ),
  plain(
    'actions',
    'deletes what is noted of operators',
    (limits) => limits.retain_actions_days,
    `
    WITH seen AS MATERIALIZED (
      SELECT id FROM (SELECT id, at FROM operator_actions ORDER BY id LIMIT $1) AS oldest WHERE at < ${CUTOFF}
    ), done AS (
      DELETE FROM operator_actions WHERE id = ANY (ARRAY(SELECT id FROM seen)) RETURNING id
    )
    SELECT ${COUNTS}, NULL AS last`,
  ),
  plain('intake-keys', 'deletes answers to Idempotency-Keys', () => KEPT_DAYS, oldest('intake_keys', 'created_at')),
  plain('imports', 'deletes what is noted of finished imports', () => IMPORTS_DAYS, oldest('imports', 'finished_at')),
];

/** Somebody deleted the message. Its attempts go by their own limit, or else when those of any message would have gone. */
function orphanDays({ retain_attempts_days, retain_sent_days, retain_parked_days }: Limits): number {
  if (retain_attempts_days > 0) return retain_attempts_days;
  if (retain_sent_days === 0 || retain_parked_days === 0) return 0;
  return Math.max(retain_sent_days, retain_parked_days);
}
