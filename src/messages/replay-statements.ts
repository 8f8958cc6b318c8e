import type { Statement } from '../database.js';
import { HAS_LATER_TRIGGERS } from './claim-conditions.js';
import { idle } from './claim-conditions.js';
import { SEND_AGAIN } from './message-operations.js';
import { REFUSED_IDS_MAX } from './replay-limits.js';

/** What became of one slice. */
export interface ReplaySlice {
  /** The highest id that was looked at; null when nothing was left. */
  readonly last: number | null;
  readonly count: number;
  readonly refused: number;
  readonly refused_ids: readonly number[];
  readonly locked: number;
  /** The ids of those that count, if they were asked for and there are any. */
  readonly changed?: readonly number[] | null;
  /** The note of this replay, once there is one. */
  readonly noted: number | null;
}

export const BEGIN: Statement = {
  name: 'messages.replay-begins',
  text: `SELECT clock_timestamp()::text AS at, ${HAS_LATER_TRIGGERS} AS "hasLaterTriggers"`,
};

/** The row as `SEND_AGAIN` wants it: free for a claim. */
const IS_REPLAYED =
  'sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NULL AND attempts = 0 AND claimed_by IS NULL';

/** `$1` to `$4` the filter, `$5` when the replay began, `$6` the highest id that is done. */
const MATCHING = `parked_as = $1 AND sent_status = FALSE AND (parked_at IS NULL OR parked_at < $5::timestamptz)
        AND ($2::timestamptz IS NULL OR parked_at >= $2::timestamptz)
        AND ($3::timestamptz IS NULL OR parked_at < $3::timestamptz)
        AND ($4::text IS NULL OR position($4 IN parked_reason) > 0)`;

/**
 * `$7` rows that are looked at, whether they match or not: a slice's cost then does not hang on the filter. Their ids alone, so that
 * the partial index is all that is read; arrays, because joins of so many rows tempt the planner to read the whole table.
 */
const SEEN = `
    WITH seen AS MATERIALIZED (
      SELECT id FROM messages WHERE parked_as = $1 AND sent_status = FALSE AND id > $6::bigint ORDER BY id LIMIT $7
    )`;
const OF_THOSE = `id = ANY (ARRAY(SELECT id FROM seen)) AND ${MATCHING}`;

export const COUNT_SLICE: Statement = {
  name: 'messages.count-replay',
  text: `${SEEN}
    SELECT (SELECT max(id) FROM seen) AS last, (SELECT count(*) FROM messages WHERE ${OF_THOSE}) AS count,
      0 AS refused, '[]'::json AS refused_ids, 0 AS locked, NULL AS noted`,
};

/**
 * `$8` the note, or null before there is one, `$9` who, `$10` why, `$11` the filter as it is noted, `$12` for whom, `$13`
 * whether the ids of what was changed are asked for.
 * Rows that somebody holds a lock on are passed over. What a trigger puts back, or keeps from being changed, is not counted as
 * replayed: RETURNING has the row as it was written.
 */
export const REPLAY_SLICE: Statement = {
  name: 'messages.replay',
  text: `${SEEN}, matching AS MATERIALIZED (
      SELECT id FROM messages WHERE ${OF_THOSE} AND ${idle('messages')}
    ), taken AS MATERIALIZED (
      SELECT id FROM messages WHERE id = ANY (ARRAY(SELECT id FROM matching)) AND ${MATCHING} AND ${idle('messages')}
      ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    ), written AS (
      UPDATE messages SET ${SEND_AGAIN}, claimed_by = NULL, claim_fence = NULL WHERE id = ANY (ARRAY(SELECT id FROM taken))
      RETURNING id, coalesce(${IS_REPLAYED}, FALSE) AS is_replayed
    ), changed AS (
      SELECT id FROM written WHERE is_replayed
    ), total AS (
      SELECT count(*) AS count FROM changed
    ), refused AS MATERIALIZED (
      SELECT id FROM taken EXCEPT SELECT id FROM changed
    ), first AS (
      INSERT INTO operator_actions (actor, on_behalf_of, action, reason, detail)
      SELECT $9, $12, 'replay', $10, $11::jsonb || jsonb_build_object('count', count)
      FROM total WHERE $8::bigint IS NULL AND count > 0 RETURNING id
    ), further AS (
      UPDATE operator_actions
      SET detail = detail || jsonb_build_object('count', (detail->>'count')::bigint + total.count)
      FROM total WHERE id = $8::bigint AND total.count > 0
    )
    SELECT (SELECT max(id) FROM seen) AS last, (SELECT count FROM total) AS count,
      (SELECT count(*) FROM refused) AS refused,
      (SELECT coalesce(json_agg(id), '[]') FROM (SELECT id FROM refused ORDER BY id LIMIT ${REFUSED_IDS_MAX}) AS told) AS refused_ids,
      (SELECT count(*) FROM matching) - (SELECT count(*) FROM taken) AS locked,
      CASE WHEN $13::bool THEN (SELECT json_agg(id) FROM changed) END AS changed,
      coalesce($8::bigint, (SELECT id FROM first)) AS noted`,
};

/** Of the messages `$1` that the slice changed in this transaction, those that later triggers put back; the note `$2` counts them no more. */
export const TAKE_BACK: Statement = {
  name: 'messages.take-replay-back',
  text: `
    WITH put_back AS MATERIALIZED (
      SELECT id FROM messages WHERE id = ANY ($1::bigint[]) AND NOT coalesce(${IS_REPLAYED}, FALSE)
    ), noted AS (
      UPDATE operator_actions
      SET detail = detail || jsonb_build_object('count', (detail->>'count')::bigint - (SELECT count(*) FROM put_back))
      WHERE id = $2::bigint AND EXISTS (SELECT FROM put_back)
    )
    SELECT coalesce(json_agg(id ORDER BY id), '[]') AS ids FROM put_back`,
};

/** The one row that a slice of one row would look at. `$1` the state, `$2` the highest id that is done. */
export const NEXT_ROW: Statement = {
  name: 'messages.next-of-replay',
  text: `SELECT id FROM messages WHERE parked_as = $1 AND sent_status = FALSE AND id > $2::bigint ORDER BY id LIMIT 1`,
};

/** What a replay could not change, added to its note. */
export const NOTE_REST: Statement = {
  name: 'messages.note-rest-of-replay',
  text: `
    UPDATE operator_actions SET detail = detail || jsonb_build_object('refused', $2::bigint, 'locked', $3::bigint)
    WHERE id = $1`,
};
