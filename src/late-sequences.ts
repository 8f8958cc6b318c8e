import { Logger } from '@nestjs/common';
import type { Pool } from 'pg';
import { refusalOf } from './database-fault.js';
import { codeOf, isError } from './described-error.js';

const DUPLICATE = '23505';
/** Tables of the service whose highest id is the end of an index. */
const BY_HIGHEST_ID = new Set(['dispatch_jobs', 'operator_actions', 'imports']);
/** The ids of attempts repeat only within one message: the next ones do. */
const BY_NEXT_ID = new Set(['delivery_attempts']);

const logger = new Logger('Database');
/** Tables of which the log has said that their sequence cannot be set. */
const toldOf = new Set<string>();

/**
 * Brings the sequence of a table of the service's own up to its highest id, when `error` says that an id was there already:
 * logical replication and a data-only copy bring rows and leave sequences behind. Returns whether the statement, of which
 * nothing was done, may be run again.
 */
export async function bringUpSequence(pool: Pool, error: unknown): Promise<boolean> {
  const table = tableOfDuplicateId(error);
  if (table === null) return false;
  if (BY_NEXT_ID.has(table)) return true;
  try {
    // Two statements in one transaction: the second one sees what whoever had the lock before has done. A session that takes
    // an id in between loses nothing: its INSERT is refused as this one was.
    await pool.query(`SELECT pg_advisory_xact_lock(hashtext('message-dispatcher sequences')); ${bringUp(table)}`);
    logger.warn(
      `The sequence of ${table} was behind its ids, as after a copy without sequences; it is set to the highest id`,
    );
    toldOf.delete(table);
    return true;
  } catch (cause) {
    if (toldOf.has(table)) return false;
    toldOf.add(table);
    logger.error(
      { refusal: refusalOf(cause).text },
      `The sequence of ${table} is behind its ids, and cannot be set; run as the table's owner: ${bringUp(table)}`,
    );
    return false;
  }
}

function bringUp(table: string): string {
  const sequence = `pg_get_serial_sequence('${table}', 'id')`;
  return `SELECT setval(${sequence}, greatest((SELECT max(id) FROM ${table}), pg_sequence_last_value(${sequence}), 1))`;
}

function tableOfDuplicateId(error: unknown): string | null {
  if (!isError(error) || codeOf(error) !== DUPLICATE) return null;
  const { table, constraint } = Object.fromEntries(Object.entries(error)) as Record<string, unknown>;
  // PostgreSQL appends a number where the name of the key was taken.
  if (typeof table !== 'string' || typeof constraint !== 'string') return null;
  if (constraint.replace(/\d*$/, '') !== `${table}_pkey`) return null;
  return BY_HIGHEST_ID.has(table) || BY_NEXT_ID.has(table) ? table : null;
}
