import { ChaosDatabase } from '../database.js';

const ms = (/** @type {string} */ column) => `(extract(epoch FROM ${column}) * 1000)::float8`;
const NUMBER = `substring(content FROM '\\d+$')::bigint`;
const WAITS = `sent_status = FALSE AND parked_as IS NULL AND content LIKE 'Insider - good %'`;

/** What no phone number is, one of them for each row. */
const NO_PHONES = ['n/a', '12', 'ask Ali', '+90 555 NOT A NUMBER', '0'.repeat(40), '+', '555-CALL', '٠٥٥٥١١١١١١١'];

/** A company's own rules for its own table, older than this service. */
const COMPANY_RULES = `
  CREATE FUNCTION keep_for_audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'row % is kept for the audit', OLD.id; END $$;
  CREATE TRIGGER audit BEFORE UPDATE ON messages FOR EACH ROW
    WHEN (OLD.content LIKE 'Insider - cursed %') EXECUTE FUNCTION keep_for_audit();
  CREATE TRIGGER audit_marks BEFORE UPDATE ON messages FOR EACH ROW
    WHEN (OLD.content LIKE 'Insider - unmarkable %' AND NEW.sent_status AND NOT OLD.sent_status)
    EXECUTE FUNCTION keep_for_audit();
  ALTER TABLE messages ADD CONSTRAINT no_legacy CHECK (content NOT LIKE 'Insider - legacy %') NOT VALID`;

/** What ordinary life does to the table by SQL. */
export class OrdinaryDatabase extends ChaosDatabase {
  /**
   * Stores `count` rows numbered from `from`.
   * @param {import('./types.js').Kind} kind
   * @param {number} from
   * @param {number} count
   * @param {{ parked?: boolean, due?: boolean, negative?: boolean }} how
   */
  async store(kind, from, count, { parked = false, due = false, negative = false } = {}) {
    const phone =
      kind === 'invalid' ? `($4::text[])[1 + n % cardinality($4::text[])]` : `'+9055' || lpad(n::text, 8, '0')`;
    const columns = [
      ['recipient_phone', phone],
      ['content', `'Insider - ' || $3::text || ' ' || n`],
      ...(negative ? [['id', '-n']] : []),
      ...(due
        ? [
            ['attempts', '1'],
            ['next_attempt_at', `now() - interval '1 s'`],
          ]
        : []),
      ...(parked
        ? [
            ['attempts', '6'],
            ['parked_as', `'failed'`],
            ['parked_reason', `'HTTP 500'`],
            ['parked_at', 'now()'],
          ]
        : []),
    ];
    await this.rows(
      `INSERT INTO messages (${columns.map(([name]) => name).join(', ')})
       SELECT ${columns.map(([, value]) => value).join(', ')}
       FROM generate_series($1::bigint, $1::bigint + $2::bigint - 1) n
       WHERE $4::text[] IS NOT NULL`,
      [from, count, kind, NO_PHONES],
    );
  }

  async imposeCompanyRules() {
    await this.rows(COMPANY_RULES);
  }

  /** What a planner of an old installation knows. */
  async analyze() {
    await this.rows('VACUUM ANALYZE messages');
  }

  /**
   * Marks or deletes a few good messages at the head of what waits, by hand.
   * @param {'marked' | 'deleted'} what
   * @param {number} count
   * @returns {Promise<number[]>} their numbers
   */
  async touch(what, count) {
    const head = `id IN (SELECT id FROM messages WHERE ${WAITS} AND id > 0 ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)`;
    const statement = what === 'marked' ? 'UPDATE messages SET sent_status = TRUE' : 'DELETE FROM messages';
    const rows = await this.rows(`${statement} WHERE ${head} RETURNING ${NUMBER} AS n`, [count]);
    return rows.map(({ n }) => Number(n));
  }

  /**
   * Locks messages at the head of what waits until the returned function is called.
   * @param {number} count
   */
  async lock(count) {
    const client = await this.pool.connect();
    await client.query('BEGIN');
    /** @type {import('pg').QueryResult<{ n: number }>} */
    const { rows } = await client.query(
      `SELECT ${NUMBER} AS n FROM messages WHERE sent_status = FALSE AND parked_as IS NULL AND next_attempt_at IS NULL
       ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED`,
      [count],
    );
    return {
      numbers: rows.map(({ n }) => n),
      release: async () => {
        await client.query('ROLLBACK').catch(() => undefined);
        client.release();
      },
    };
  }

  /** Keeps a snapshot open, as pg_dump does, until the returned function is called. */
  async openSnapshot() {
    const client = await this.pool.connect();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await client.query('SELECT count(*) FROM scheduler_state');
    return async () => {
      await client.query('ROLLBACK').catch(() => undefined);
      client.release();
    };
  }

  /**
   * Whether a process still has a running job by the database, or messages of it.
   * @param {number} pid
   */
  async ownsJob(pid) {
    const [row] = await this.rows(
      `SELECT count(*) AS count FROM dispatch_jobs WHERE state = 'running' AND split_part(owner, '/', 2) = $1`,
      [String(pid)],
    );
    return Number(row?.count) > 0;
  }

  async state() {
    const [row] = await this.rows('SELECT running, interval_ms FROM scheduler_state');
    return { running: row?.running === true, intervalMs: Number(row?.interval_ms) };
  }

  /** Good messages that wait, in the eyes of the database; a count that stops early. */
  async goodLeft() {
    const [row] = await this.rows(
      `SELECT count(*) AS count FROM (SELECT FROM messages WHERE ${WAITS} LIMIT 100000) few`,
    );
    return Number(row?.count);
  }

  /** @override Too many to be read; see `ordinaryRows`. @returns {Promise<import('../types.js').MessageRow[]>} */
  async messages() {
    return [];
  }

  /**
   * All rows but those that were parked or due before, of which only the numbers given are read.
   * @param {readonly number[]} requested
   * @returns {Promise<import('./types.js').OrdinaryRow[]>}
   */
  async ordinaryRows(requested) {
    return await this.rows(
      `SELECT id, ${NUMBER} AS n, sent_status AS sent, parked_as AS "parkedAs", parked_reason AS "parkedReason",
         ${ms('parked_at')} AS "parkedAt", claimed_by AS "claimedBy", attempts, message_id AS "providerId"
       FROM messages
       WHERE content !~ '^Insider - (parked|due) ' OR (content LIKE 'Insider - due %' AND ${NUMBER} = ANY ($1::bigint[]))`,
      [requested],
    );
  }

  /** @returns {Promise<import('./types.js').OrdinaryJob[]>} */
  async ordinaryJobs() {
    return await this.rows(
      `SELECT id, ${ms('due_at')} AS "dueAt", budget, claimed, fence, ${ms('started_at')} AS "startedAt",
         ${ms('finished_at')} AS "finishedAt", sent, not_sent AS "notSent", state, note
       FROM dispatch_jobs ORDER BY id`,
    );
  }
}
