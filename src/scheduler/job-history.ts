import { Injectable } from '@nestjs/common';
import { ApiDatabase, type Statement } from '../database.js';

/** A job as it is shown to people. Times are RFC 3339 in UTC. */
export interface JobRecord {
  readonly id: number;
  readonly state: 'waiting' | 'running' | 'done' | 'dropped';
  readonly due_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly tail_since: string | null;
  readonly owner: string | null;
  readonly budget: number | null;
  readonly sent: number;
  readonly not_sent: number;
  readonly note: string | null;
}

const RECENT = 20;

/** The jobs that run and the newest ones that ended. */
@Injectable()
export class JobHistory {
  constructor(private readonly database: ApiDatabase) {}

  async running(): Promise<JobRecord[]> {
    return await this.database.query<JobRecord>(RUNNING);
  }

  /** The newest 20 that ended, newest first. */
  async recent(): Promise<JobRecord[]> {
    return await this.database.query<JobRecord>(ENDED);
  }

  /** When a job last achieved something, as the handler's `statement` tells; null: never. */
  async lastSuccessAt(statement: Statement | null): Promise<number | null> {
    const [row] = statement === null ? [] : await this.database.query<{ at: number }>(statement);
    return row !== undefined && Number.isFinite(row.at) ? row.at : null;
  }
}

const utc = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ${column}`;
const COLUMNS = `id, state, ${utc('due_at')}, ${utc('started_at')}, ${utc('finished_at')}, ${utc('tail_since')},
  owner, budget, sent, not_sent, note`;

export const RUNNING: Statement = {
  name: 'scheduler.running',
  text: `SELECT ${COLUMNS} FROM dispatch_jobs WHERE state = 'running' ORDER BY id`,
};

export const ENDED: Statement = {
  name: 'scheduler.recent',
  text: `SELECT ${COLUMNS} FROM dispatch_jobs WHERE state IN ('done', 'dropped') ORDER BY id DESC LIMIT ${RECENT}`,
};
