import { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import { createDataSource, migrationDataSource } from './data-source.js';
import { maskSecrets } from './mask-secrets.js';
import { StartupError } from './startup-error.js';

const RETRY_AFTER_SECONDS = [1, 2, 4, 8, 16];
/** Any fixed number: replicas that start at once take turns on it. */
const MIGRATION_LOCK = 7_266_355_401;

/**
 * Connects to PostgreSQL, trying again after 1, 2, 4, 8 and 16 s, and brings the schema up to date when `migrate` says so.
 * @throws StartupError when the last try failed too, or when a migration did.
 */
export async function connectDatabase(url: string, migrate: boolean): Promise<DataSource> {
  const logger = new Logger('Database');
  const dataSource = createDataSource(url);
  for (const pauseSeconds of [...RETRY_AFTER_SECONDS, null]) {
    try {
      await dataSource.initialize();
      break;
    } catch (error) {
      const target = maskSecrets(url);
      const reason = maskSecrets(reasonOf(error));
      if (pauseSeconds === null) {
        throw new StartupError(`PostgreSQL at ${target} is out of reach (${reason}): start it, or correct APP_DB_URL`, {
          cause: error,
        });
      }
      logger.warn(`PostgreSQL at ${target} is out of reach (${reason}); trying again in ${pauseSeconds} s`);
      await sleep(pauseSeconds * 1000);
    }
  }
  if (migrate) await runMigrations(url);
  return dataSource;
}

/** Runs pending migrations, one replica at a time. */
async function runMigrations(url: string): Promise<void> {
  const dataSource = migrationDataSource(url);
  const lock = new Client({ connectionString: url, application_name: 'message-dispatcher migrations' });
  try {
    await lock.connect();
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await dataSource.initialize();
    const ran = await dataSource.runMigrations();
    if (ran.length > 0) new Logger('Database').log(`ran ${ran.length} migrations`);
  } catch (error) {
    const reason = maskSecrets(reasonOf(error));
    throw new StartupError(`the database schema could not be brought up to date: ${reason}`, { cause: error });
  } finally {
    if (dataSource.isInitialized) await dataSource.destroy();
    await lock.end();
  }
}

/** The text of an error; one to several addresses comes as an empty aggregate. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
