import { Injectable, Optional } from '@nestjs/common';
import type { QueryConfig, QueryResultRow } from 'pg';
import { DataSource } from 'typeorm';
import { StaticSettings } from './config/static-settings.js';
import { poolOf } from './data-source.js';

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
  /** Behind a pooler that hands connections on, a name would be unknown on the next one. */
  private readonly named: boolean;

  constructor(
    private readonly dataSource: DataSource,
    @Optional() settings?: StaticSettings,
  ) {
    this.named = (settings?.dbDirectUrl ?? null) === null;
  }

  /** Runs one statement on a connection of the pool, in a transaction of its own. Rejects as node-postgres does. */
  async query<Row extends QueryResultRow>(statement: Statement, values: readonly unknown[] = []): Promise<Row[]> {
    const { rows } = await poolOf(this.dataSource).query<Row>(this.configOf(statement, values));
    return rows;
  }

  /**
   * The same with each row as a list of its columns, for statements with many rows: node-postgres builds a row object by
   * copying an empty one, for which V8 has no quick way where statements have many shapes.
   */
  async tuples<Row extends unknown[]>(statement: Statement, values: readonly unknown[] = []): Promise<Row[]> {
    const { rows } = await poolOf(this.dataSource).query<Row>({
      ...this.configOf(statement, values),
      rowMode: 'array',
    });
    return rows;
  }

  private configOf({ name, text }: Statement, values: readonly unknown[]): QueryConfig {
    return { ...(this.named ? { name } : {}), text, values: [...values] };
  }
}
