import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { Injectable, Logger } from '@nestjs/common';
import { Database, type Statement } from '../database.js';
import { isDatabaseOutage } from '../database-outage.js';
import { refusalOf } from '../database-fault.js';
import type { ShownValue } from './live-keys.js';
import { StaticSettings } from './static-settings.js';

/** The settings of a file by key, without secrets. */
export type FileSettings = Readonly<Record<string, ShownValue>>;

/** What the file said when it was read last, before this process began. */
export interface RememberedFile {
  readonly settings: FileSettings;
  /** false: no process of this machine read it; this is the newest of a file with the same path. */
  readonly isOwn: boolean;
}

/** As many machines are remembered; each of a fleet of containers may have a new name. */
const PLACES_KEPT = 200;

/**
 * Remembers in PostgreSQL what the settings file of each machine says. A process that starts can so tell a file whose content
 * changed from one that was only written, mounted or touched once more.
 */
@Injectable()
export class FileMemory {
  private readonly logger = new Logger('FleetSettings');
  private readonly path: string;
  private saved: string | null = null;
  private told: string | null = null;

  constructor(
    private readonly database: Database,
    { configDir }: StaticSettings,
  ) {
    this.path = resolve(configDir, 'dynamic_config.yaml');
  }

  /** null: nothing is known of it, or PostgreSQL does not tell; the file's time decides then. */
  async recall(): Promise<RememberedFile | null> {
    try {
      const [row] = await this.database.query<RememberedFile>(RECALL, [hostname(), this.path]);
      return row ?? null;
    } catch (error) {
      this.failed(error);
      return null;
    }
  }

  /** Where that fails it is tried again with the next call. */
  async remember(settings: FileSettings): Promise<void> {
    const text = JSON.stringify(settings);
    if (text === this.saved) return;
    const before = this.saved;
    this.saved = text;
    try {
      await this.database.query(REMEMBER, [hostname(), this.path, text]);
      this.told = null;
    } catch (error) {
      this.saved = before;
      this.failed(error);
    }
  }

  private failed(error: unknown): void {
    const { text } = refusalOf(error);
    if (this.told === text || isDatabaseOutage(error)) return;
    this.told = text;
    this.logger.warn(
      `Cannot remember what the settings file says: ${text}; after a restart a file that was only touched may change the fleet's settings`,
    );
  }
}

const RECALL: Statement = {
  name: 'file-settings.recall',
  text: `
    SELECT settings, host = $1 AS "isOwn" FROM file_settings WHERE path = $2
    ORDER BY host = $1 DESC, seen_at DESC LIMIT 1`,
};

const REMEMBER: Statement = {
  name: 'file-settings.remember',
  text: `
    WITH forgotten AS (
      DELETE FROM file_settings WHERE (host, path) IN (
        SELECT host, path FROM file_settings WHERE (host, path) <> ($1, $2) ORDER BY seen_at DESC OFFSET ${PLACES_KEPT - 1})
    )
    INSERT INTO file_settings (host, path, settings, seen_at) VALUES ($1, $2, $3::jsonb, clock_timestamp())
    ON CONFLICT (host, path) DO UPDATE SET settings = excluded.settings, seen_at = excluded.seen_at`,
};
