import { Injectable, Optional } from '@nestjs/common';
import type { Pool, PoolClient, QueryConfig, QueryResultRow } from 'pg';
import { DataSource } from 'typeorm';
import { StaticSettings } from './config/static-settings.js';
import { poolOf, ServiceDataSource } from './data-source.js';
import { codeOf, isError } from './described-error.js';
import { bringUpSequence } from './late-sequences.js';
import { isRaise } from './postgres-error.js';

/** A statement that is prepared once per connection under its name. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

const TOO_MANY_CONNECTIONS = '53300';
/** A read-only server; a prepared statement that is gone, or whose table changed: another connection has another. */
const STALE = /^(?:25006|26000|0A000)$/;
const SEQUENCES_AT_MOST = 2;
const STATEMENT_GONE = '26000';
/** Who in PostgreSQL says that a prepared statement would return other types than before: `cached plan must not change result type`. */
const STALE_PLAN_ROUTINE = 'RevalidateCachedQuery';

/**
 * Runs named, prepared SQL straight through a pool: a TypeORM entity per row would cost more than the rest of a message's way.
 * Where the server has no connection left for the first of several pools, the next one is taken.
 */
export class Statements {
  /** Behind a pooler that hands connections on, a name would be unknown on the next one. */
  private readonly named: boolean;

  constructor(
    private readonly pools: () => readonly [Pool, ...Pool[]],
    settings?: StaticSettings,
  ) {
    this.named = (settings?.dbDirectUrl ?? null) === null;
  }

  /** Runs one statement on a connection of the pool, in a transaction of its own. Rejects as node-postgres does. */
  async query<Row extends QueryResultRow>(statement: Statement, values: readonly unknown[] = []): Promise<Row[]> {
    return await this.run(async (pool) => await rowsOf<Row>(pool, this.configOf(statement, values)));
  }

  /**
   * The same with each row as a list of its columns, for statements with many rows: node-postgres builds a row object by
   * copying an empty one, for which V8 has no quick way where statements have many shapes.
   */
  async tuples<Row extends unknown[]>(statement: Statement, values: readonly unknown[] = []): Promise<Row[]> {
    const config = { ...this.configOf(statement, values), rowMode: 'array' as const };
    return await this.run(async (pool) => await rowsOf<Row>(pool, config));
  }

  /** Runs `work` in one transaction, which is rolled back when it throws. */
  async transaction<Result>(work: (ask: Ask) => Promise<Result>): Promise<Result> {
    return await this.run(async (pool) => {
      const client = await pool.connect();
      let isUsable = false;
      try {
        await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
        const result = await work(
          async (statement, values = []) => await rowsFrom(client, this.configOf(statement, values)),
        );
        await client.query('COMMIT');
        isUsable = true;
        return result;
      } catch (error) {
        isUsable = await client.query('ROLLBACK').then(
          () => !STALE.test(codeOf(error) ?? ''),
          () => false,
        );
        throw error;
      } finally {
        client.release(!isUsable);
      }
    });
  }

  /** `sequences`: how many may still be brought up; one statement writes to two tables at most that have one. */
  protected async run<Rows>(ask: (pool: Pool) => Promise<Rows>, sequences = SEQUENCES_AT_MOST): Promise<Rows> {
    const [first, ...others] = this.pools();
    try {
      return await ask(first);
    } catch (error) {
      if (sequences > 0 && (await bringUpSequence(first, error))) return await this.run(ask, sequences - 1);
      const [next] = others;
      if (next === undefined || codeOf(error) !== TOO_MANY_CONNECTIONS || (isError(error) && isRaise(error)))
        throw error;
      return await new Statements(() => [next, ...others.slice(1)]).run(ask);
    }
  }

  protected configOf({ name, text }: Statement, values: readonly unknown[]): QueryConfig {
    return { ...(this.named ? { name } : {}), text, values: [...values] };
  }
}

/**
 * Like `Pool.query`, but a connection survives that its statement was refused: the pool's own method closes it, and a new one
 * costs more than ten statements, for each row that a trigger refuses.
 */
async function rowsOf<Row>(pool: Pool, config: QueryConfig): Promise<Row[]> {
  const client = await pool.connect();
  let isUsable = false;
  try {
    const rows = await rowsFrom<Row>(client, config);
    isUsable = true;
    return rows;
  } catch (error) {
    // Nothing was done of it. Without its name it is planned anew, and the connection goes.
    if (hasStalePlan(error)) return await rowsFrom<Row>(client, unnamed(config));
    isUsable = isError(error) && 'severity' in error && error.severity === 'ERROR' && !STALE.test(codeOf(error) ?? '');
    throw error;
  } finally {
    client.release(!isUsable);
  }
}

/** In a transaction of its own, because a limit that a statement sets does not end that statement. */
async function rowsWithin<Row>(pool: Pool, limitMs: number, config: QueryConfig): Promise<Row[]> {
  const client = await pool.connect();
  let isUsable = false;
  try {
    await client.query(`BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = ${Math.ceil(limitMs)}`);
    const rows = await rowsFrom<Row>(client, config);
    await client.query('COMMIT');
    isUsable = true;
    return rows;
  } finally {
    client.release(!isUsable);
  }
}

async function rowsFrom<Row>(client: PoolClient, config: QueryConfig): Promise<Row[]> {
  // Row may be a list, of which the types of `Client.query` know nothing.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return (await client.query(config)).rows as Row[];
}

function unnamed({ name: _name, ...config }: QueryConfig): QueryConfig {
  return config;
}

function hasStalePlan(error: unknown): boolean {
  if (!isError(error)) return false;
  return codeOf(error) === STATEMENT_GONE || ('routine' in error && error.routine === STALE_PLAN_ROUTINE);
}

/**
 * The scheduler's and the dispatcher's way to PostgreSQL: turns, claims, settlements, renewals, and the operator's start and
 * stop. Nothing else may use it: what a caller of the API asks for goes over `ApiDatabase`, and can delay none of them.
 */
@Injectable()
export class Database extends Statements {
  private readonly renewals: Statements;

  constructor(dataSource: DataSource, @Optional() settings?: StaticSettings) {
    super(() => [connectionsOf(dataSource).dispatchPool, poolOf(dataSource)], settings);
    this.renewals = new Statements(() => {
      const { renewalPool, dispatchPool } = connectionsOf(dataSource);
      return [renewalPool, dispatchPool, poolOf(dataSource)];
    }, settings);
  }

  /** Runs one statement that PostgreSQL ends after `limitMs`, which may be no longer than the process waits for an answer. */
  async queryWithin<Row extends QueryResultRow>(
    limitMs: number,
    statement: Statement,
    values: readonly unknown[],
  ): Promise<Row[]> {
    return await this.run(async (pool) => await rowsWithin<Row>(pool, limitMs, this.configOf(statement, values)));
  }

  /** Runs a statement that may wait behind no other, over connections that nothing else uses: the renewal of a lease. */
  async queryAtOnce<Row extends QueryResultRow>(statement: Statement, values: readonly unknown[] = []): Promise<Row[]> {
    return await this.renewals.query<Row>(statement, values);
  }
}

/** Runs one statement of a transaction. */
export type Ask = <Row extends QueryResultRow>(statement: Statement, values?: readonly unknown[]) => Promise<Row[]>;

/** The way to PostgreSQL for what callers of the API wait for: few connections, a bounded queue, statements of 5 s at most. */
@Injectable()
export class ApiDatabase extends Statements {
  constructor(dataSource: DataSource, @Optional() settings?: StaticSettings) {
    super(() => [poolOf(dataSource)], settings);
  }
}

/**
 * The way to PostgreSQL for retention: one connection, opened while there is something to do, whose statements end after 5 s.
 * It takes none of those that sending and callers wait for.
 */
@Injectable()
export class RetentionDatabase extends Statements {
  constructor(
    private readonly dataSource: DataSource,
    @Optional() settings?: StaticSettings,
  ) {
    super(() => [connectionsOf(dataSource).retentionPool], settings);
  }

  /** Whether a claim, a settlement or a turn of this replica waits for a connection. */
  get sendingWaits(): boolean {
    return connectionsOf(this.dataSource).dispatchPool.waitingCount > 0;
  }
}

function connectionsOf(dataSource: DataSource): ServiceDataSource {
  if (dataSource instanceof ServiceDataSource) return dataSource;
  throw new Error('the data source was not made by createDataSource');
}
