import type { Statement } from '../database.js';
import { atPlaces, FRESH, LOWEST_ID, NOW, RETRY, timeOf, WRITABLE } from './claim-conditions.js';

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

/** A slice of messages that were looked at, and those among them that were parked. */
export interface InvalidSlice {
  readonly looked: number;
  readonly parked: number;
  /** A few of the parked ones, for the log. */
  readonly samples: readonly { readonly id: number; readonly state: 'failed' | 'uncertain'; readonly reason: string }[];
}

export const INVALID_SLICE_ROWS = 5_000;
const SAMPLES = 5;

const PHONE_INVALID = phoneIsInvalid('message.recipient_phone');
const INVALID = `(${PHONE_INVALID} OR ${contentIsInvalid('message.content')})`;
const REASON = `CASE WHEN ${isDecimal('message.recipient_phone')} THEN ($1::text[])[2]
          WHEN ${PHONE_INVALID} THEN ($1::text[])[1] ELSE ($1::text[])[3] END`;

/** `$1` what is wrong with a phone number, with a decimal number and with a text. What others have locked is left to the next look. */
const park = (name: string, kind: string, seen: string): Statement => ({
  name,
  text: `
    WITH seen AS MATERIALIZED (
      SELECT tableoid AS source, ctid AS place FROM messages WHERE ${kind} AND ${seen} LIMIT ${INVALID_SLICE_ROWS}
    ), invalid AS (
      SELECT message.tableoid AS source, message.ctid AS place FROM messages message, ${atPlaces('seen')}
        AND ${kind} AND claimed_by IS NULL AND ${WRITABLE} AND ${INVALID}
      FOR UPDATE OF message SKIP LOCKED
    ), parked AS (
      UPDATE messages message SET
        parked_as = CASE WHEN doubt IS NULL THEN 'failed' ELSE 'uncertain' END,
        parked_reason = ${REASON} || coalesce('; an earlier attempt may have sent it: ' || doubt, ''),
        parked_at = clock_timestamp(), next_attempt_at = NULL
      FROM ${atPlaces('invalid')} AND ${kind} AND claimed_by IS NULL AND ${INVALID}
      RETURNING message.id, message.parked_as AS state, message.parked_reason AS reason
    )
    SELECT (SELECT count(*) FROM seen) AS looked, (SELECT count(*) FROM parked) AS parked,
      (SELECT coalesce(json_agg(sample), '[]') FROM (SELECT * FROM parked ORDER BY id LIMIT ${SAMPLES}) AS sample) AS samples`,
});

/** `$2` the id from which to look. */
export const PARK_INVALID_FRESH = park(
  'messages.park-invalid-fresh',
  FRESH,
  `id >= coalesce($2::bigint, ${LOWEST_ID}) ORDER BY id`,
);

/** `$2`, `$3` the end of the pause and the id from which to look. */
export const PARK_INVALID_RETRIES = park(
  'messages.park-invalid-retries',
  RETRY,
  `(next_attempt_at, id) >= (${timeOf('$2::bigint')}, coalesce($3::bigint, ${LOWEST_ID}))
        AND next_attempt_at <= ${NOW} ORDER BY next_attempt_at, id`,
);
