import { Client } from 'pg';
import type { TestDatabase } from './test-database.js';

/**
 * A database whose `clock_timestamp()` a test sets, as an operator sets a server's clock. The function comes from a schema
 * that the search path names before PostgreSQL's own; the service's SQL is the same as ever.
 */
export class SkewedClock {
  private constructor(private readonly client: Client) {}

  /** Connections that are opened from now on go by it; call it before there are any. */
  static async install(database: TestDatabase): Promise<SkewedClock> {
    const client = new Client({ connectionString: database.url });
    // The database may be dropped under it.
    client.on('error', () => undefined);
    await client.connect();
    await client.query(`
      CREATE SCHEMA clock;
      CREATE TABLE clock.skew (ahead INTERVAL NOT NULL DEFAULT '0', stands_at TIMESTAMPTZ);
      INSERT INTO clock.skew DEFAULT VALUES;
      CREATE FUNCTION clock.clock_timestamp() RETURNS TIMESTAMPTZ LANGUAGE sql VOLATILE AS
        $$ SELECT coalesce(stands_at, pg_catalog.clock_timestamp() + ahead) FROM clock.skew $$;
      DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET search_path = clock, pg_catalog, public', current_database());
      END $$`);
    return new SkewedClock(client);
  }

  /** Sets the clock forward, or back when `ms` is negative. */
  async jump(ms: number): Promise<void> {
    await this.client.query(`UPDATE clock.skew SET ahead = ahead + $1 * interval '1 ms'`, [ms]);
  }

  /** The clock stands at this time, milliseconds since 1970. */
  async standAt(time: number): Promise<void> {
    await this.client.query(`UPDATE clock.skew SET stands_at = to_timestamp($1::float8 / 1000)`, [time]);
  }

  async release(): Promise<void> {
    await this.client.end();
  }
}
