import { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ask } from './preflight/look-at-database.js';

const LOOK_EVERY_MS = 500;

interface Holder {
  readonly pid: number;
  readonly application: string;
  readonly role: string;
  readonly state: string;
  readonly since: number;
}

/** Who holds the locks that the connection named `applicationName` waits for. Says so when it changes. */
export class LockHolders {
  private readonly logger = new Logger('Database');
  private holders: readonly Holder[] = [];
  private said = '';

  constructor(
    private readonly ask: Ask,
    private readonly applicationName: string,
  ) {}

  /** A sentence without its full stop. */
  get last(): string {
    if (this.holders.length === 0) return 'a lock on the table messages was not to be had';
    const names = this.holders.map(
      ({ pid, application, role, state, since }) =>
        `process ${pid} (application ${application || 'without a name'}, role ${role}, ${state} for ${Math.round(since)} s)`,
    );
    return `the lock on the table messages is held by ${names.join(' and ')}`;
  }

  /** Runs `act`, and looks meanwhile what it waits for. */
  async watch<Result>(act: () => Promise<Result>): Promise<Result> {
    const ended = new AbortController();
    const watching = this.look(ended.signal);
    try {
      return await act();
    } finally {
      ended.abort();
      await watching;
    }
  }

  /** Names the holders, unless they are those that were named last. */
  sayOnce(what: string): void {
    const pids = this.holders.map(({ pid }) => pid).join();
    if (pids === this.said && pids !== '') return;
    this.said = pids;
    this.logger.warn(`A migration waits: ${this.last}${what}`);
  }

  private async look(signal: AbortSignal): Promise<void> {
    for (let waits = 0; !signal.aborted;) {
      await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const holders = await this.ask<Holder>(HOLDERS, [this.applicationName]).catch(() => []);
      if (holders.length === 0) waits = 0;
      else {
        this.holders = holders;
        waits += 1;
      }
      // Longer than any lock is tried for: an index that is built concurrently, which nobody waits for.
      if (waits === 8) this.sayOnce('; nobody waits for the migration meanwhile');
    }
  }
}

const HOLDERS = `
  SELECT holder.pid, coalesce(holder.application_name, '') AS application, coalesce(holder.usename::text, 'unknown') AS role,
    coalesce(holder.state, 'of unknown state') AS state,
    coalesce(extract(epoch FROM clock_timestamp() - holder.state_change), 0)::float8 AS since
  FROM pg_stat_activity waiting
    CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS blocker(pid)
    JOIN pg_stat_activity holder ON holder.pid = blocker.pid
  WHERE waiting.application_name = $1 AND waiting.wait_event_type = 'Lock'
  ORDER BY holder.pid LIMIT 5`;
