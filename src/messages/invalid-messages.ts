import type { Statement } from '../database.js';
import { atPlaces, FRESH, freshFrom, microsecondsOf, NOW, RETRY, retryFrom, writable } from './claim-conditions.js';

/** What a spreadsheet makes of a number. */
const isDecimal = (phone: string) => `(length(${phone}) <= 32 AND ${phone} ~ '^[+]?[0-9]+[.]0+$')`;

/**
 * The rules of `message-rules.ts` as SQL: true only where they refuse. What one of them refuses and SQL cannot tell is met one
 * by one. Characters are counted where PostgreSQL knows them: in SQL_ASCII `length` counts bytes.
 */
export const phoneIsInvalid = (phone: string) =>
  `(${phone} IS NULL OR length(${phone}) > 32 OR translate(${phone}, ' ().-', '') !~ '^[+]?[0-9]{3,15}$' OR ${isDecimal(phone)})`;
export const contentIsInvalid = (content: string) =>
  `(${content} IS NULL OR ${content} = '' OR (getdatabaseencoding() = 'UTF8' AND length(${content}) > 160))`;

/** Whether a message cannot be sent as it stands; `of` is what its columns are written after, as `message.`. */
export const isInvalid = (of = '') =>
  `(${phoneIsInvalid(`${of}recipient_phone`)} OR ${contentIsInvalid(`${of}content`)})`;

/** The table and the place of a message, and its id. */
export type InvalidPlace = readonly [source: number, place: string, id: number];

/** What a look at one kind of messages found. */
export interface InvalidSlice<Place> {
  readonly looked: number;
  /** Those that cannot be sent, that nobody has claimed and that can be written. */
  readonly invalid: readonly InvalidPlace[];
  /** Where to go on; null: there is nothing more. */
  readonly next: Place | null;
}

export interface ParkedInvalid {
  /** How many were to be parked; the others are locked, changed or gone. */
  readonly held: number;
  /** How many of these are. A trigger may keep the others as they were. */
  readonly parked: number;
  /** A few of the parked ones, for the log. */
  readonly samples: readonly { readonly id: number; readonly state: 'failed' | 'uncertain'; readonly reason: string }[];
}

export const INVALID_SLICE_ROWS = 5_000;
const SAMPLES = 5;

const INVALID = isInvalid('message.');
const REASON = `CASE WHEN ${isDecimal('message.recipient_phone')} THEN ($1::text[])[2]
          WHEN ${phoneIsInvalid('message.recipient_phone')} THEN ($1::text[])[1] ELSE ($1::text[])[3] END`;

const find = (name: string, kind: string, from: string, order: string, next: string): Statement => ({
  name,
  text: `
    WITH seen AS MATERIALIZED (
      SELECT message.tableoid AS source, message.ctid AS place, id, next_attempt_at,
        claimed_by IS NULL AND ${INVALID} AND ${writable('message')} AS invalid
      FROM messages message WHERE ${kind} AND ${from} ORDER BY ${order} LIMIT ${INVALID_SLICE_ROWS}
    )
    SELECT count(*) AS looked,
      coalesce(json_agg(json_build_array(source::bigint, place::text, id)) FILTER (WHERE invalid), '[]') AS invalid,
      (SELECT ${next} FROM seen ORDER BY ${order} OFFSET ${INVALID_SLICE_ROWS - 1}) AS next
    FROM seen`,
});

/** `$1` the id from which to look. */
export const FIND_INVALID_FRESH = find('messages.find-invalid-fresh', FRESH, freshFrom('$1'), 'id', 'id + 1');

/** `$1`, `$2` the end of the pause and the id from which to look. */
export const FIND_INVALID_RETRIES = find(
  'messages.find-invalid-retries',
  RETRY,
  `${retryFrom('$1', '$2')} AND next_attempt_at <= ${NOW}`,
  'next_attempt_at, id',
  `json_build_array(${microsecondsOf('next_attempt_at')}, id + 1)`,
);

const TO_PARK = `message.sent_status = FALSE AND message.parked_as IS NULL AND message.claimed_by IS NULL AND ${INVALID}`;

/**
 * `$1` what is wrong with a phone number, with a decimal number and with a text, `$2`, `$3` the tables and places of those to
 * park. Whatever lies there by now, only what cannot be sent is parked. What others have locked is left to the next look. The
 * places come from a CTE: of an array of the statement the planner knows the length, and rather than so many places it would
 * read an index from its start, with all that is dead there.
 */
export const PARK_INVALID: Statement = {
  name: 'messages.park-invalid',
  text: `
    WITH given AS MATERIALIZED (
      SELECT source, place FROM unnest($2::oid[], $3::tid[]) AS given (source, place)
    ), held AS MATERIALIZED (
      SELECT message.tableoid AS source, message.ctid AS place
      FROM messages message, ${atPlaces('given')}
        AND ${TO_PARK} AND ${writable('message')}
      FOR NO KEY UPDATE OF message SKIP LOCKED
    ), changed AS (
      UPDATE messages message SET
        parked_as = CASE WHEN doubt IS NULL THEN 'failed' ELSE 'uncertain' END,
        parked_reason = ${REASON} || coalesce('; an earlier attempt may have sent it: ' || doubt, ''),
        parked_at = clock_timestamp(), next_attempt_at = NULL
      FROM ${atPlaces('held')} AND ${TO_PARK}
      RETURNING message.id, message.parked_as AS state, message.parked_reason AS reason
    ), parked AS (
      SELECT * FROM changed WHERE state IS NOT NULL
    )
    SELECT (SELECT count(*) FROM held) AS held, (SELECT count(*) FROM parked) AS parked,
      (SELECT coalesce(json_agg(sample), '[]') FROM (SELECT * FROM parked ORDER BY id LIMIT ${SAMPLES}) AS sample) AS samples`,
};
