import type { Pool, PoolClient } from 'pg';

const LOOKS = 5;

/**
 * Whether `pool` leads to a pooler that hands its connections to PostgreSQL on after each transaction (PgBouncer's
 * `pool_mode=transaction`): then two connections that are open at once are seen on the same backend.
 * Costs one query where PostgreSQL itself answers.
 */
export async function isTransactionPooler(pool: Pool): Promise<boolean> {
  const first = await pool.connect();
  let direct = false;
  try {
    const backend = await backendOf(first);
    direct = backend === toldAtConnect(first);
    return !direct && (await isShared(first, backend, pool));
  } finally {
    first.release(!direct);
  }
}

async function isShared(first: PoolClient, backend: number, pool: Pool): Promise<boolean> {
  const seen = new Set([backend]);
  const second = await pool.connect();
  try {
    for (let looks = 0; looks < LOOKS; looks += 1) {
      if (seen.has(await backendOf(second))) return true;
      seen.add(await backendOf(first));
    }
    return false;
  } finally {
    second.release(true);
  }
}

async function backendOf(client: PoolClient): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid ?? 0;
}

/** What the server, or the pooler in its place, gave as its process at connect; the types do not know of it. */
function toldAtConnect(client: PoolClient): unknown {
  return 'processID' in client ? client.processID : undefined;
}
