import type { Client } from 'pg';
import { z } from 'zod';
import { StartupError } from '../startup-error.js';
import type { ImportMode } from './import-report.js';
import type { FilePosition } from './row-reader.js';

export const FORMATS = ['csv', 'ndjson'] as const;
export type FormatName = (typeof FORMATS)[number];

/** A file as its content makes it: under another name it is the same one. */
export interface FileIdentity {
  readonly sha256: string;
  readonly name: string;
  readonly bytes: number;
  readonly format: FormatName;
}

/** How far an import of a file is. */
export interface ImportRun {
  readonly id: number;
  readonly mode: ImportMode;
  readonly format: FormatName;
  readonly position: FilePosition;
  readonly stored: number;
  readonly refused: number;
  readonly finishedAt: Date | null;
}

/** The rows between two positions. */
export interface ImportStep {
  readonly from: FilePosition;
  readonly to: FilePosition;
  readonly isLast: boolean;
  readonly stored: number;
  readonly refused: number;
}

const rows = z.array(
  z.object({
    id: z.coerce.number(),
    mode: z.enum(['all-or-nothing', 'per-row']),
    format: z.enum(FORMATS),
    next_offset: z.coerce.number(),
    next_line: z.coerce.number(),
    stored: z.coerce.number(),
    refused: z.coerce.number(),
    finished_at: z.date().nullable(),
  }),
);

const COLUMNS = 'id, mode, format, next_offset, next_line, stored, refused, finished_at';
const LOCK_TIMEOUT_MS = 10_000;

/** What PostgreSQL knows of the files that were imported. */
export class ImportLedger {
  constructor(private readonly client: Client) {}

  /**
   * Keeps every other process from importing this file, until the connection ends.
   * @throws StartupError when another one is at it and stays.
   */
  async claim({ sha256 }: FileIdentity): Promise<void> {
    // A process that was killed a moment ago may hold the lock until the server notices.
    await this.client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
    try {
      await this.client.query(`SELECT pg_advisory_lock(hashtextextended('import ' || $1, 0))`, [sha256]);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === '55P03')) throw error;
      throw new StartupError('This file is being imported by another process: wait for it to end', { cause: error });
    }
    await this.client.query('SET lock_timeout = 0');
  }

  /** The newest import of the file, finished or not; null when there was none. */
  async newest({ sha256 }: FileIdentity): Promise<ImportRun | null> {
    const result = await this.client.query(
      `SELECT ${COLUMNS} FROM imports WHERE sha256 = $1 ORDER BY id DESC LIMIT 1`,
      [sha256],
    );
    return runOf(result.rows);
  }

  async begin({ sha256, name, bytes, format }: FileIdentity, mode: ImportMode): Promise<ImportRun> {
    const result = await this.client.query(
      `INSERT INTO imports (sha256, file_name, file_bytes, format, mode) VALUES ($1, $2, $3, $4, $5) RETURNING ${COLUMNS}`,
      [sha256, name, bytes, format, mode],
    );
    const run = runOf(result.rows);
    if (run === null) throw new Error('an import was begun and is not there');
    return run;
  }

  /** Part of the transaction that stores the rows of this step: it fails, and they with it, when somebody else took them. */
  async advance(run: ImportRun, { from, to, isLast, stored, refused }: ImportStep): Promise<void> {
    const { rowCount } = await this.client.query(
      `UPDATE imports SET next_offset = $3, next_line = $4, stored = stored + $5, refused = refused + $6,
         finished_at = CASE WHEN $7 THEN now() END
       WHERE id = $1 AND next_offset = $2 AND finished_at IS NULL`,
      [run.id, from.offset, to.offset, to.line, stored, refused, isLast],
    );
    if (rowCount !== 1) throw new Error(`import ${run.id} was taken further by somebody else`);
  }
}

function runOf(result: unknown): ImportRun | null {
  const [row] = rows.parse(result);
  if (row === undefined) return null;
  const { id, mode, format, stored, refused } = row;
  const position = { offset: row.next_offset, line: row.next_line };
  return { id, mode, format, position, stored, refused, finishedAt: row.finished_at };
}
