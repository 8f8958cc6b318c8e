import { escapeLiteral, type PoolClient, type QueryResultRow } from 'pg';
import { z } from 'zod';
import { Database, type Statement } from '../../src/database.js';
import type { ServiceDataSource } from '../../src/data-source.js';

export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Shared Hit Blocks'?: number;
  readonly 'Shared Read Blocks'?: number;
  readonly Plans?: readonly PlanNode[];
}
export const explained = z.tuple([z.object({ 'QUERY PLAN': z.tuple([z.object({ Plan: z.custom<PlanNode>() })]) })]);

/** How many rows the scans of a plan looked at, those that no filter let through included. */
export function visited(node: PlanNode): number {
  const own = /Seq Scan|Index|Bitmap Heap|Tid/.test(node['Node Type'])
    ? (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops']
    : 0;
  return (node.Plans ?? []).reduce((sum, child) => sum + visited(child), own);
}

/** What one call of a statement cost. */
export interface Cost {
  readonly name: string;
  readonly rows: number;
  readonly buffers: number;
}

/**
 * Runs statements on one connection of the service's own, and notes what each of them costs: each is explained first, with all
 * that it does, in a savepoint that is rolled back. All of it happens in one transaction, which is rolled back at the end.
 * A statement is prepared once, as a connection of the service does it, so a generic plan is that of its first call.
 */
export class ExplainedDatabase extends Database {
  readonly costs: Cost[] = [];
  private readonly prepared = new Set<string>();

  private constructor(
    dataSource: ServiceDataSource,
    private readonly client: PoolClient,
  ) {
    super(dataSource);
  }

  static async connect(dataSource: ServiceDataSource, planCacheMode: string): Promise<ExplainedDatabase> {
    const client = await dataSource.dispatchPool.connect();
    // Little memory, so that nothing is bounded only as long as a hash of it fits.
    await client.query(`SET plan_cache_mode = ${planCacheMode}; SET work_mem = '64kB'`);
    return new ExplainedDatabase(dataSource, client);
  }

  /** What the statements of `work` cost; nothing of what they did stays. */
  async costsOf(work: () => Promise<unknown>): Promise<Cost[]> {
    this.costs.length = 0;
    await this.client.query('BEGIN');
    try {
      await work();
    } finally {
      await this.client.query('ROLLBACK');
    }
    return [...this.costs];
  }

  /** Runs SQL of the test itself in the same transaction. */
  async execute<Row extends QueryResultRow>(text: string): Promise<Row[]> {
    return (await this.client.query<Row>(text)).rows;
  }

  override async queryWithin<Row extends QueryResultRow>(
    _limitMs: number,
    statement: Statement,
    values: readonly unknown[],
  ): Promise<Row[]> {
    return await this.query<Row>(statement, values);
  }

  override async query<Row extends QueryResultRow>(
    statement: Statement,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    return await this.execute<Row>(await this.explain(statement, values));
  }

  override async tuples<Row extends unknown[]>(statement: Statement, values: readonly unknown[] = []): Promise<Row[]> {
    const text = await this.explain(statement, values);
    return (await this.client.query<Row>({ text, rowMode: 'array' })).rows;
  }

  /** Notes what the statement costs; returns how it is executed. */
  private async explain({ name, text }: Statement, values: readonly unknown[]): Promise<string> {
    if (!this.prepared.has(name)) await this.client.query(`PREPARE "${name}" AS ${text}`);
    this.prepared.add(name);
    const call = `EXECUTE "${name}"${values.length === 0 ? '' : ` (${values.map(literal).join(', ')})`}`;
    await this.client.query('SAVEPOINT before');
    const { rows } = await this.client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${call}`);
    await this.client.query('ROLLBACK TO SAVEPOINT before');
    const plan = explained.parse(rows)[0]['QUERY PLAN'][0].Plan;
    const buffers = (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0);
    this.costs.push({ name, rows: visited(plan), buffers });
    return call;
  }

  release(): void {
    this.client.release(true);
  }
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  return escapeLiteral(Array.isArray(value) ? `{${value.map(item).join(',')}}` : textOf(value));
}

function item(value: unknown): string {
  return value === null ? 'NULL' : JSON.stringify(textOf(value));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
