/**
 * A TIMESTAMP that holds UTC, as RFC 3339. For years that this lacks, which only a row marked by hand has: with a sign and six
 * digits of the year, as ISO 8601 and ECMAScript have it. null for an infinite time.
 */
export const utc = (column: string) => `CASE
        WHEN ${column} >= '0001-01-01' AND ${column} < '10000-01-01' THEN to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        WHEN isfinite(${column}) THEN CASE WHEN ${column} < '0001-01-01 BC' THEN '-' ELSE '+' END
          || lpad(abs(extract(year FROM ${column})::int + (${column} < '0001-01-01')::int)::text, 6, '0')
          || to_char(${column}, '-MM-DD"T"HH24:MI:SS.MS"Z"') END`;
/** A TIMESTAMPTZ as RFC 3339 in UTC. */
export const zoned = (column: string) => utc(`${column} AT TIME ZONE 'UTC'`);

/** What stands for the number and the text of a message that were erased. No phone number is like it: it is never sent. */
export const ERASED = '[erased]';

/** The columns of a `MessageView`. */
export const VIEW = `id, recipient_phone, content, sent_status, ${utc('sent_at')} AS sent_at, message_id,
      CASE WHEN sent_status THEN 'sent' WHEN parked_as IS NOT NULL THEN parked_as
           WHEN claimed_by IS NOT NULL THEN 'sending' ELSE 'waiting' END AS state,
      ${zoned('created_at')} AS created_at,
      attempts AS charged_attempts, sit_outs AS uncharged_attempts, doubt,
      ${zoned('next_attempt_at')} AS next_attempt_at,
      parked_reason, ${zoned('parked_at')} AS parked_at`;

/**
 * Whether an attempt at the message `$1` is one at this message and not at a former one of the same id, as there are after
 * TRUNCATE: no attempt is older than its message. Without a time of storing, or with one in the future, all of them count.
 */
export const OF_THIS_MESSAGE = `started_at >= coalesce(
      (SELECT created_at FROM messages WHERE id = $1::bigint AND created_at <= now()), '-infinity')`;
