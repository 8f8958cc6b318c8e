import { Pool, types } from 'pg';

types.setTypeParser(types.builtins.INT8, Number);

const ms = (/** @type {string} */ column) => `(extract(epoch FROM ${column}) * 1000)::float8`;

/** What the campaign does in the database behind the replicas' backs. */
export class ChaosDatabase {
  /** @param {string} url */
  constructor(url) {
    this.pool = new Pool({ connectionString: url, max: 8, connectionTimeoutMillis: 2_000, query_timeout: 20_000 });
    this.pool.on('error', () => undefined);
  }

  /**
   * @template {import('pg').QueryResultRow} Row
   * @param {string} text
   * @param {unknown[]} values
   * @returns {Promise<Row[]>}
   */
  async rows(text, values = []) {
    /** @type {import('pg').QueryResult<Row>} */
    const result = await this.pool.query(text, values);
    return result.rows;
  }

  /**
   * Adds messages until there have been `total`, numbered from 1; the number is at the end of the content. May be repeated.
   * @param {number} total
   */
  async feed(total) {
    await this.rows(
      `INSERT INTO messages (recipient_phone, content)
       SELECT '+9055' || lpad(n::text, 8, '0'), 'Insider - Project ' || n
       FROM generate_series((SELECT count(*) + 1 FROM messages), $1::bigint) n`,
      [total],
    );
  }

  /** How many messages are neither sent nor parked. */
  async unsettled() {
    const [row] = await this.rows(
      `SELECT count(*) AS count FROM messages WHERE sent_status = FALSE AND parked_as IS NULL`,
    );
    return Number(row?.count);
  }

  /**
   * The messages in the hands of a process.
   * @param {number} pid
   * @returns {Promise<import('./recovery-watch.js').Held[]>}
   */
  async heldBy(pid) {
    return await this.rows(
      `SELECT message.id, message.claimed_by, message.claim_fence
       FROM messages message JOIN dispatch_jobs job ON job.id = message.claimed_by AND job.fence = message.claim_fence
       WHERE message.sent_status = FALSE AND message.parked_as IS NULL AND message.next_attempt_at IS NULL
         AND job.state = 'running' AND split_part(job.owner, '/', 2) = $1`,
      [String(pid)],
    );
  }

  /**
   * @param {readonly number[]} ids
   * @param {number} job
   * @param {number} fence
   */
  async stillHeld(ids, job, fence) {
    const [row] = await this.rows(
      `SELECT count(*) AS count FROM messages WHERE id = ANY ($1::bigint[]) AND claimed_by = $2 AND claim_fence = $3`,
      [ids, job, fence],
    );
    return Number(row?.count);
  }

  /** @returns {Promise<import('./types.js').MessageRow[]>} */
  async messages() {
    return await this.rows(
      `SELECT id, substring(content FROM '\\d+$')::bigint AS n, sent_status AS sent, parked_as AS "parkedAs",
         parked_reason AS "parkedReason", ${ms('parked_at')} AS "parkedAt", claimed_by AS "claimedBy", attempts
       FROM messages`,
    );
  }

  /** @returns {Promise<import('./types.js').AttemptRow[]>} */
  async attempts() {
    return await this.rows(
      `SELECT message_id AS "messageId", job_id AS "jobId", number, ${ms('started_at')} AS "startedAt", outcome, error
       FROM delivery_attempts ORDER BY id`,
    );
  }

  /** @returns {Promise<import('./types.js').JobRow[]>} */
  async jobs() {
    return await this.rows(
      `SELECT id, ${ms('due_at')} AS "dueAt", budget, claimed, fence FROM dispatch_jobs ORDER BY id`,
    );
  }

  async close() {
    await this.pool.end();
  }
}
