import { randomUUID } from 'node:crypto';
import type { Job } from '../../src/scheduler/job.js';
import type { TestDatabase } from './test-database.js';

const never = new AbortController().signal;

/** A job that runs under its first owner, is due now and winds down by nothing, as the scheduler would hand it over. */
export async function openJob(database: TestDatabase, budget: number): Promise<Job> {
  const id = await database.value<number>(
    `INSERT INTO dispatch_jobs (due_at, state, fence, budget) VALUES (now(), 'running', 1, $1) RETURNING id`,
    [budget],
  );
  return {
    id,
    fence: 1,
    dueAt: new Date(),
    prepared: () => Promise.resolve(),
    correlationId: randomUUID(),
    winding: never,
    cut: never,
    abandoned: never,
    requestLimitMs: Infinity,
    mayBegin: () => true,
    trails: false,
    trail: () => undefined,
  };
}
