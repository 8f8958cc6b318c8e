import { Injectable } from '@nestjs/common';
import { RetentionDatabase, type Statement } from '../database.js';
import { LOOK_AT_DELETION, type DeletionFacts } from '../preflight/judge-deletion.js';
import type { BatchResult, Place, SingleResult, Walk } from './walk.js';

/** How far a walk is, as the database remembers it. */
export interface Progress {
  /** The limit with which it went; with another one it begins again. */
  readonly days: number;
  /** Null: at the start. */
  readonly place: Place | null;
  readonly begunMsAgo: number;
  /** Since it began at the start. */
  readonly refused: number;
  readonly reason: string | null;
}

/** What is added to a walk's progress. */
export interface Step {
  readonly days: number;
  readonly place: Place | null;
  readonly startsAnew: boolean;
  readonly ends: boolean;
  readonly done: number;
  readonly refused: number;
  readonly reason: string | null;
}

const LEASE_SECONDS = 60;

/** What retention keeps in PostgreSQL, and its batches. */
@Injectable()
export class RetentionStore {
  constructor(private readonly database: RetentionDatabase) {}

  /** Whether a claim or an outcome of this replica waits for a connection. */
  get sendingWaits(): boolean {
    return this.database.sendingWaits;
  }

  /**
   * Takes the fleet's one lease, or renews it, for a minute; false: another replica has it, or the fleet went through with
   * the same `limits` less than `restMs` ago.
   */
  async lease(owner: string, limits: string, restMs: number): Promise<boolean> {
    return (await this.database.query(LEASE, [owner, LEASE_SECONDS, limits, restMs])).length > 0;
  }

  /** Renews the lease; `held` false: it ran out and another replica has it. `behind`: jobs wait, so sending is to have the disk. */
  async renew(owner: string): Promise<{ held: boolean; behind: boolean }> {
    const [row] = await this.database.query<{ behind: boolean }>(RENEW, [owner, LEASE_SECONDS]);
    return { held: row !== undefined, behind: row?.behind ?? false };
  }

  /** Gives the lease back; `limits` not null: everything was gone through with them. */
  async release(owner: string, limits: string | null): Promise<void> {
    await this.database.query(RELEASE, [owner, limits]);
  }

  async progress(walk: string): Promise<Progress | null> {
    const [row] = await this.database.query<ProgressRow>(PROGRESS, [walk]);
    if (row === undefined) return null;
    const { days, place_at, place_id, begun_ms_ago, refused, reason } = row;
    const place = place_id === null ? null : { at: place_at, id: place_id };
    return { days, place, begunMsAgo: begun_ms_ago, refused, reason };
  }

  async save(walk: string, step: Step): Promise<void> {
    const { days, place, startsAnew, ends, done, refused, reason } = step;
    const at = place?.at ?? null;
    await this.database.query(SAVE, [walk, days, at, place?.id ?? null, startsAnew, ends, done, refused, reason]);
  }

  async batch({ batch, hasPlace }: Walk, rows: number, days: number, place: Place | null): Promise<BatchResult> {
    return only(await this.database.query<BatchRow>(batch, valuesOf(rows, days, hasPlace, place)));
  }

  async singly(statement: Statement, rows: number, days: number, place: Place | null): Promise<SingleResult> {
    return only(await this.database.query<SingleRow>(statement, valuesOf(rows, days, true, place)));
  }

  /** How many rows behind one place and up to another one are still to be done, `rows` at most. */
  async left(statement: Statement, rows: number, from: Place | null, to: Place): Promise<number> {
    const values = [rows, from?.at ?? null, from?.id ?? null, to.at, to.id];
    return only(await this.database.query<{ left: number }>(statement, values)).left;
  }

  /** Whether this role may delete messages, and which keys of other tables refer to them. */
  async examine(): Promise<DeletionFacts> {
    return only(await this.database.query<ExaminationRow>({ name: 'retention.examine', text: LOOK_AT_DELETION }));
  }
}

type BatchRow = BatchResult & Record<string, unknown>;
type SingleRow = SingleResult & Record<string, unknown>;
type ExaminationRow = DeletionFacts & Record<string, unknown>;

interface ProgressRow {
  days: number;
  place_at: number | null;
  place_id: number | null;
  begun_ms_ago: number;
  refused: number;
  reason: string | null;
}

function valuesOf(rows: number, days: number, hasPlace: boolean, place: Place | null): unknown[] {
  return [rows, days, Date.now(), ...(hasPlace ? [place?.at ?? null, place?.id ?? null] : [])];
}

function only<Row>([row]: readonly Row[]): Row {
  if (row === undefined) throw new Error('a statement of retention gave no row');
  return row;
}

const LEASE: Statement = {
  name: 'retention.lease',
  text: `
    UPDATE retention_state SET owner = $1, lease_until = clock_timestamp() + $2 * interval '1 s'
    WHERE (owner IS NULL OR owner = $1 OR lease_until < clock_timestamp())
      AND (swept_at IS NULL OR limits IS DISTINCT FROM $3 OR swept_at < clock_timestamp() - $4 * interval '1 ms')
    RETURNING only_row`,
};

const RENEW: Statement = {
  name: 'retention.renew',
  text: `
    UPDATE retention_state SET lease_until = clock_timestamp() + $2 * interval '1 s' WHERE owner = $1
    RETURNING EXISTS (SELECT FROM dispatch_jobs WHERE state = 'waiting') AS behind`,
};

const RELEASE: Statement = {
  name: 'retention.release',
  text: `
    UPDATE retention_state SET owner = NULL, lease_until = NULL, limits = coalesce($2, limits),
      swept_at = CASE WHEN $2::text IS NULL THEN swept_at ELSE clock_timestamp() END
    WHERE owner = $1`,
};

const PROGRESS: Statement = {
  name: 'retention.progress',
  text: `
    SELECT days, place_at, place_id, refused, reason,
      extract(epoch FROM clock_timestamp() - begun_at)::float8 * 1000 AS begun_ms_ago
    FROM retention_walks WHERE walk = $1`,
};

const SAVE: Statement = {
  name: 'retention.save',
  text: `
    INSERT INTO retention_walks AS known (walk, days, place_at, place_id, ended_at, done, refused, reason)
    VALUES ($1, $2, $3, $4, CASE WHEN $6 THEN clock_timestamp() END, $7, $8, $9)
    ON CONFLICT (walk) DO UPDATE SET
      days = excluded.days, place_at = excluded.place_at, place_id = excluded.place_id,
      begun_at = CASE WHEN $5 THEN clock_timestamp() ELSE known.begun_at END,
      ended_at = coalesce(excluded.ended_at, known.ended_at),
      done = known.done + excluded.done,
      refused = CASE WHEN $5 THEN 0 ELSE known.refused END + excluded.refused,
      reason = CASE WHEN $5 THEN excluded.reason ELSE coalesce(excluded.reason, known.reason) END`,
};
