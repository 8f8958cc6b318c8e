import type { Statement } from '../database.js';
import { atPlaces, hasLaterTriggers, HIGHEST_ID, idle, lockTimeout, writable } from '../messages/claim-conditions.js';
import { ERASED } from '../messages/message-view.js';
import { CUTOFF, type Limits, type Walk } from './walk.js';

/** Messages that came to an end, in the order of when that was, as one index has them. */
interface Source {
  readonly name: string;
  readonly text: string;
  readonly condition: string;
  /** The column or expression of the index. */
  readonly key: string;
  readonly type: 'timestamp' | 'timestamptz';
}

const SOURCES = {
  sent: {
    name: 'sent',
    text: 'sent messages',
    condition: 'sent_status = TRUE',
    key: `coalesce(sent_at, '-infinity'::timestamp)`,
    type: 'timestamp',
  },
  // Marked by hand. Without any time of their own they are never old enough.
  untimed: {
    name: 'sent-untimed',
    text: 'messages that were marked as sent without a time',
    condition: 'sent_status = TRUE AND sent_at IS NULL',
    key: 'created_at',
    type: 'timestamptz',
  },
  // Not uncertain ones: somebody has to decide first.
  parked: {
    name: 'parked',
    text: 'failed and cancelled messages',
    condition: `parked_as IN ('failed', 'cancelled') AND sent_status = FALSE`,
    key: 'coalesce(parked_at, created_at)',
    type: 'timestamptz',
  },
} as const satisfies Record<string, Source>;

/** Ends the wait for a lock of a cascade or of a trigger for this statement alone; rows that are locked are stepped over. */
const PATIENCE = `${lockTimeout(500)} IS NOT NULL`;

/** Whether nobody works on it: a message that was marked by hand may still be in the hands of a job. */
const FREE = `${writable('message')}
        AND ${idle('message')}`;

const IS_ERASED = `recipient_phone = '${ERASED}' AND content = '${ERASED}'`;

const placeOf = (type: Source['type'], at: string, id: string) => `(
          CASE WHEN ${at}::bigint IS NULL THEN ${type} '-infinity'
            ELSE ${type} 'epoch' + ${at}::bigint * interval '1 microsecond' END,
          coalesce(${id}::bigint, ${HIGHEST_ID}))`;

const seen = ({ condition, key, type }: Source, isWanted: string) => `
    WITH seen AS MATERIALIZED (
      SELECT tableoid AS source, ctid AS place, id, ${key} AS key, (${isWanted}) AS wanted FROM messages
      WHERE ${PATIENCE} AND ${condition}
        AND (${key}, id) > ${placeOf(type, '$4', '$5')}
        AND ${key} < ${type === 'timestamp' ? `(${CUTOFF} AT TIME ZONE 'UTC')` : CUTOFF}
      ORDER BY ${key}, id LIMIT $1
    ), wanted AS MATERIALIZED (
      SELECT source, place, id FROM seen WHERE wanted
    )`;

const LAST = `(SELECT json_build_object('at', (extract(epoch FROM key) * 1000000)::bigint, 'id', id)
        FROM seen ORDER BY key DESC, id DESC LIMIT 1) AS last`;

/** `change` has a row per message that was written, with its id and whether it is now as it was to be: a trigger may say otherwise. */
const batch = (
  event: 'DELETE' | 'UPDATE',
  name: string,
  source: Source,
  isWanted: string,
  change: string,
  attempts: string,
): Statement => ({
  name: `retention.${name}`,
  text: `${seen(source, isWanted)}, held AS MATERIALIZED (
      SELECT message.tableoid AS source, message.ctid AS place FROM messages message, ${atPlaces('wanted')}
        AND ${source.condition} AND ${FREE}
      FOR UPDATE OF message SKIP LOCKED
    ), changed AS (
      ${change}
    ), done AS (
      SELECT id FROM changed WHERE is_done
    ), attempts AS (
      ${attempts}
    )
    SELECT (SELECT count(*) FROM seen) AS seen, (SELECT count(*) FROM done) AS done,
      (SELECT count(*) FROM wanted) - (SELECT count(*) FROM held) AS skipped,
      (SELECT count(*) FROM held) - (SELECT count(*) FROM done) AS kept, ${LAST},
      ${hasLaterTriggers(event)} AS "hasLaterTriggers"`,
});

/** How many rows after the place `$2`, `$3` and up to `$4`, `$5` are still as they were, of `$1` at most. */
const left = (name: string, { condition, key, type }: Source, isWanted: string): Statement => ({
  name: `retention.${name}-left`,
  text: `
    SELECT count(*) AS left FROM (
      SELECT FROM messages
      WHERE ${condition} AND ${isWanted}
        AND (${key}, id) > ${placeOf(type, '$2', '$3')} AND (${key}, id) <= ${placeOf(type, '$4', '$5')}
      LIMIT $1) AS row`,
});

/** So long one statement of these works; what is left is seen again by the next one. */
const SINGLY_MS = 500;

const singly = (act: 'delete' | 'erase', source: Source, isWanted: string): Walk['singly'] => ({
  statement: {
    name: `retention.${act}-${source.name}-singly`,
    text: `${seen(source, isWanted)}, tried AS MATERIALIZED (
      SELECT * FROM dispatcher_forget_singly('${act}', ARRAY(SELECT id FROM wanted), ARRAY(SELECT source FROM wanted),
        ARRAY(SELECT place FROM wanted), ${CUTOFF}, interval '${SINGLY_MS} ms')
    ), last AS (
      SELECT key, id FROM seen
      WHERE (SELECT count(*) FROM tried) = (SELECT count(*) FROM wanted)
        OR id = ANY (ARRAY(SELECT tried_id FROM tried))
      ORDER BY key DESC, id DESC LIMIT 1
    )
    SELECT CASE WHEN (SELECT count(*) FROM tried) < (SELECT count(*) FROM wanted) THEN $1
        ELSE (SELECT count(*) FROM seen) END AS seen,
      (SELECT count(*) FROM tried WHERE is_done) AS done, (SELECT count(*) FROM tried WHERE is_done IS NULL) AS skipped,
      (SELECT count(*) FROM tried WHERE NOT is_done) AS refused,
      (SELECT refused_sqlstate FROM tried WHERE NOT is_done LIMIT 1) AS sqlstate,
      (SELECT refused_by FROM tried WHERE NOT is_done LIMIT 1) AS reason,
      (SELECT json_build_object('at', (extract(epoch FROM key) * 1000000)::bigint, 'id', id) FROM last) AS last`,
  },
  look: {
    name: `retention.${act}-${source.name}-look`,
    text: `${seen(source, isWanted)}
    SELECT (SELECT count(*) FROM seen) AS seen, 0 AS done, 0 AS skipped, 0 AS kept, ${LAST}`,
  },
  left: left(`${act}-${source.name}`, source, isWanted),
});

const ofThose = `message_id = ANY (ARRAY(SELECT id FROM done))`;

function deletion(source: Source, key: 'retain_sent_days' | 'retain_parked_days'): Walk {
  return {
    name: `delete-${source.name}`,
    text: `deletes ${source.text} with their attempts`,
    days: (limits: Limits) => limits[key],
    batch: batch(
      'DELETE',
      `delete-${source.name}`,
      source,
      'TRUE',
      `DELETE FROM messages message USING ${atPlaces('held')}
      RETURNING message.id, TRUE AS is_done`,
      `DELETE FROM delivery_attempts WHERE ${ofThose}`,
    ),
    singly: singly('delete', source, 'TRUE'),
    hasPlace: true,
    deletesMessages: true,
  };
}

function erasure(source: Source): Walk {
  const isWanted = `NOT coalesce(${IS_ERASED}, FALSE)`;
  return {
    name: `erase-${source.name}`,
    text: `erases number and text of ${source.text}`,
    days: (limits: Limits) => limits.erase_after_days,
    batch: batch(
      'UPDATE',
      `erase-${source.name}`,
      source,
      isWanted,
      `UPDATE messages message SET recipient_phone = '${ERASED}', content = '${ERASED}',
        parked_reason = CASE WHEN parked_reason IS NOT NULL THEN '${ERASED}' END
      FROM ${atPlaces('held')}
      RETURNING message.id, ${IS_ERASED} AS is_done`,
      `UPDATE delivery_attempts SET error = NULL, response_excerpt = NULL
      WHERE ${ofThose} AND (error IS NOT NULL OR response_excerpt IS NOT NULL)`,
    ),
    singly: singly('erase', source, isWanted),
    hasPlace: true,
    deletesMessages: false,
  };
}

/** Attempts go by the time of their message's end: no index by their own time has to be written with each of them. */
function attemptsOf(source: Source): Walk {
  return {
    name: `attempts-${source.name}`,
    text: `deletes attempts of ${source.text}`,
    days: (limits: Limits) => limits.retain_attempts_days,
    batch: {
      name: `retention.attempts-${source.name}`,
      text: `${seen(source, 'TRUE')}, done AS (
      DELETE FROM delivery_attempts
      WHERE message_id = ANY (ARRAY(SELECT id FROM wanted)) AND started_at < ${CUTOFF} RETURNING message_id
    )
    SELECT (SELECT count(*) FROM seen) AS seen, (SELECT count(*) FROM done) AS done, 0 AS skipped, 0 AS kept, ${LAST}`,
    },
    singly: null,
    hasPlace: true,
    deletesMessages: false,
  };
}

/** What is to be deleted comes before what is to be erased. */
export const MESSAGE_WALKS: readonly Walk[] = [
  deletion(SOURCES.sent, 'retain_sent_days'),
  deletion(SOURCES.untimed, 'retain_sent_days'),
  deletion(SOURCES.parked, 'retain_parked_days'),
  ...Object.values(SOURCES).map(erasure),
  ...Object.values(SOURCES).map(attemptsOf),
];
