import type { Database, Statement } from '../database.js';

/** Another session has locked a whole table, so that no row of it can be written; it passes with that session's transaction. */
export class TableLocked extends Error {
  override readonly name = 'TableLocked';
}

interface Holder {
  readonly table: string;
  readonly pid: number;
  readonly application: string;
  readonly role: string;
  readonly state: string;
  readonly since: number;
}

/** Names the session that keeps a table locked which outcomes are written to, or that is next to have it; null when none does. */
export async function findTableLock(database: Database): Promise<TableLocked | null> {
  const [holder] = await database.query<Holder & Record<string, unknown>>(TABLE_LOCK);
  if (holder === undefined) return null;
  const { table, pid, application, role, state, since } = holder;
  return new TableLocked(
    `process ${pid} (application ${application || 'without a name'}, role ${role}, ${state} for ${Math.round(since)} s) keeps the table ${table} locked`,
  );
}

// The modes that keep rows from being written. SHARE is that of CREATE INDEX without CONCURRENTLY.
const TABLE_LOCK: Statement = {
  name: 'messages.table-lock',
  text: `
    SELECT lock.relation::regclass::text AS "table", lock.pid, coalesce(holder.application_name, '') AS application,
      coalesce(holder.usename::text, 'unknown') AS role, coalesce(holder.state, 'of unknown state') AS state,
      coalesce(extract(epoch FROM clock_timestamp() - holder.state_change), 0)::float8 AS since
    FROM pg_locks lock LEFT JOIN pg_stat_activity holder ON holder.pid = lock.pid
    WHERE lock.locktype = 'relation' AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND lock.relation = ANY (ARRAY['messages'::regclass, 'dispatch_jobs'::regclass, 'delivery_attempts'::regclass,
        'unwritten_outcomes'::regclass]::oid[])
      AND lock.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      AND lock.pid <> pg_backend_pid()
    ORDER BY lock.granted DESC, lock.pid LIMIT 1`,
};
