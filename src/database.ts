import { Injectable } from '@nestjs/common';
import type { Pool, QueryResultRow } from 'pg';
import { DataSource } from 'typeorm';

/** A statement that is prepared once per connection under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/**
 * The hot statements' way to PostgreSQL: named, prepared SQL straight through TypeORM's pool.
 * A TypeORM entity per row would cost more than the whole rest of a message's way.
 */
@Injectable()
export class Database {
  constructor(private readonly dataSource: DataSource) {}

  /** Runs one statement on a connection of the pool, in a transaction of its own. Rejects as node-postgres does. */
  async query<Row extends QueryResultRow>(statement: Statement, values: readonly unknown[] = []): Promise<Row[]> {
    const { rows } = await this.pool.query<Row>({ ...statement, values: [...values] });
    return rows;
  }

  private get pool(): Pool {
    // TypeORM types the driver by its general interface; ours is PostgreSQL's, whose pool is `master`.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return (this.dataSource.driver as unknown as { master: Pool }).master;
  }
}
