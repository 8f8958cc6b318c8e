import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database.js';
import { atPlaces, lockTimeout, RETRY, WRITABLE } from './claim-conditions.js';

export interface ShortenedPauses {
  /** Whether a clock that was set back still concerns some pauses; another replica may be at it. */
  readonly left: boolean;
  /** null: there is none, or another replica is at it. */
  readonly setBackMs: number | null;
  readonly seen: number;
  readonly shortened: number;
}

/** An outcome that is kept is tried again after 300 s at most. */
const LONGEST_RETRY_S = 300;
const OUTCOME_ROWS = 500;

/**
 * Shortens the pauses of messages that the clock of PostgreSQL timed before it was set back, by as much as it was set back.
 * Whatever pauses without an attempt was set by somebody's hand, as was what lies beyond the longest pause: that stays.
 */
@Injectable()
export class SetBackPauses {
  constructor(private readonly database: Database) {}

  /**
   * Goes on through the pauses, the shortest first, with the next `rows`. `passOver`: these are left as they are, as PostgreSQL
   * does not let them be written.
   */
  async shorten(rows: number, longestPauseMs: number, passOver: boolean): Promise<ShortenedPauses> {
    const [row] = await this.database.query<ShortenedPauses>(SHORTEN, [rows, longestPauseMs, !passOver]);
    return row ?? { left: false, setBackMs: null, seen: 0, shortened: 0 };
  }

  /** Has outcomes that are kept, and would be tried again later than ever, tried again now. Returns whether there may be more. */
  async tryOutcomesAgain(): Promise<boolean> {
    return (await this.database.query(TRY_OUTCOMES_AGAIN)).length === OUTCOME_ROWS;
  }
}

// What was attempted since the clock was set back has its pause by the clock as it is now.
const ATTEMPTED_SINCE = `coalesce((
          SELECT attempt.started_at BETWEEN (SELECT since FROM jump) AND clock_timestamp() FROM delivery_attempts attempt
          WHERE attempt.message_id = messages.id ORDER BY attempt.id DESC LIMIT 1), FALSE)`;

/** `$1` how many are looked at, `$2` the longest pause in milliseconds, `$3` whether they are written. */
const SHORTEN: Statement = {
  name: 'messages.shorten-set-back-pauses',
  text: `
    WITH jump AS MATERIALIZED (
      SELECT epoch, set_back_ms, since, from_at, from_id, since + (set_back_ms + $2::float8) * interval '1 ms' AS until
      FROM ${lockTimeout(500)} AS patience, clock_set_backs
      ORDER BY epoch LIMIT 1 FOR UPDATE OF clock_set_backs SKIP LOCKED
    ), seen AS MATERIALIZED (
      SELECT tableoid AS source, ctid AS place, id, next_attempt_at,
        $3::bool AND claimed_by IS NULL AND (attempts > 0 OR sit_outs > 0) AND ${WRITABLE} AND NOT ${ATTEMPTED_SINCE} AS fit
      FROM messages
      WHERE ${RETRY} AND (next_attempt_at, id) > ((SELECT from_at FROM jump), (SELECT from_id FROM jump))
        AND next_attempt_at <= (SELECT until FROM jump)
      ORDER BY next_attempt_at, id LIMIT $1
    ), given AS MATERIALIZED (
      SELECT source, place FROM seen WHERE fit
    ), held AS MATERIALIZED (
      SELECT message.tableoid AS source, message.ctid AS place FROM messages message, ${atPlaces('given')}
        AND ${RETRY} AND claimed_by IS NULL
      FOR NO KEY UPDATE OF message SKIP LOCKED
    ), shortened AS (
      UPDATE messages message SET next_attempt_at = least(
        message.next_attempt_at - (SELECT set_back_ms FROM jump) * interval '1 ms',
        clock_timestamp() + $2::float8 * interval '1 ms')
      FROM ${atPlaces('held')} AND ${RETRY} AND claimed_by IS NULL
      RETURNING id
    ), last AS (
      SELECT next_attempt_at, id FROM seen ORDER BY next_attempt_at DESC, id DESC LIMIT 1
    ), went_on AS (
      UPDATE clock_set_backs SET from_at = last.next_attempt_at, from_id = last.id FROM last
      WHERE epoch = (SELECT epoch FROM jump) AND (SELECT count(*) FROM seen) = $1
    ), ended AS (
      DELETE FROM clock_set_backs WHERE epoch = (SELECT epoch FROM jump) AND (SELECT count(*) FROM seen) < $1
    )
    SELECT EXISTS (SELECT FROM clock_set_backs) AS left, (SELECT set_back_ms FROM jump) AS "setBackMs",
      (SELECT count(*) FROM seen) AS seen, (SELECT count(*) FROM shortened) AS shortened`,
};

const TRY_OUTCOMES_AGAIN: Statement = {
  name: 'unwritten-outcomes.try-again-after-set-back',
  text: `
    UPDATE unwritten_outcomes SET retry_at = clock_timestamp()
    WHERE message_id = ANY (ARRAY(
      SELECT message_id FROM unwritten_outcomes
      WHERE retry_at > (SELECT clock_timestamp()) + interval '${LONGEST_RETRY_S + 1} s'
      ORDER BY retry_at LIMIT ${OUTCOME_ROWS} FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING message_id`,
};
