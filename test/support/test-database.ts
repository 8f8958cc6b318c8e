import { randomBytes } from 'node:crypto';
import { Client, Pool, types, type QueryResultRow } from 'pg';

types.setTypeParser(types.builtins.INT8, Number);

/** A database of a test's own in the test run's PostgreSQL, or in another one. */
export class TestDatabase {
  private constructor(
    readonly url: string,
    private readonly name: string,
    private readonly server: string,
    private readonly pool: Pool,
  ) {}

  static async create(server = serverUrl(), options = ''): Promise<TestDatabase> {
    const name = `test_${randomBytes(6).toString('hex')}`;
    await onServer(server, `CREATE DATABASE ${name} ${options}`);
    return TestDatabase.named(name, server);
  }

  /** The database of the same name on another server. */
  at(server: string): TestDatabase {
    return TestDatabase.named(this.name, server);
  }

  private static named(name: string, server: string): TestDatabase {
    const url = new URL(server);
    url.pathname = `/${name}`;
    const pool = new Pool({ connectionString: url.href, max: 4 });
    // The server may be stopped, or the database dropped, under the pool's idle connections.
    pool.on('error', () => undefined);
    return new TestDatabase(url.href, name, server, pool);
  }

  async query<Row extends QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.pool.query<Row>(text, values)).rows;
  }

  /** The single value of a query's single row. */
  async value<T>(text: string, values: unknown[] = []): Promise<T> {
    const [row] = await this.query<Record<string, T>>(text, values);
    if (row === undefined) throw new Error(`no row: ${text}`);
    return Object.values(row)[0] as T;
  }

  /** Inserts `count` messages as a company does, with a bare INSERT; returns their ids. */
  async insertMessages(count: number): Promise<number[]> {
    const rows = await this.query<{ id: number }>(
      `INSERT INTO messages (recipient_phone, content)
       SELECT '+9055500' || lpad(n::text, 6, '0'), 'text ' || n FROM generate_series(1, $1::int) n RETURNING id`,
      [count],
    );
    return rows.map((row) => row.id);
  }

  /** A connection of a test's own, for a transaction that stays open; whoever opens it ends it. */
  async connect(): Promise<Client> {
    const client = new Client({ connectionString: this.url });
    await client.connect();
    return client;
  }

  /** The statements that wait for a lock. */
  async blocked(): Promise<string[]> {
    const rows = await this.query<{ query: string }>(
      `SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    );
    return rows.map(({ query }) => query);
  }

  async drop(): Promise<void> {
    await this.pool.end();
    await onServer(this.server, `DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`);
  }
}

function serverUrl(): string {
  const url = process.env['TEST_DB_URL'];
  if (url === undefined) throw new Error('TEST_DB_URL is not set: run the tests with npm test');
  return url;
}

async function onServer(server: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
