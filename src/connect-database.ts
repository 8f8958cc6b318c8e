import { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import type { StaticSettings } from './config/static-settings.js';
import { createDataSource, migrationDataSource, poolOf, primaryOf } from './data-source.js';
import { FollowingClient } from './following-client.js';
import { maskSecrets } from './mask-secrets.js';
import { StartupError } from './startup-error.js';
import { isTransactionPooler } from './transaction-pooler.js';

const RETRY_AFTER_SECONDS = [1, 2, 4, 8, 16];
/** Any fixed number: replicas that start at once take turns on it. */
const MIGRATION_LOCK = 7_266_355_401;

/**
 * Connects to PostgreSQL, trying again after 1, 2, 4, 8 and 16 s, and brings the schema up to date when `migrate` says so.
 * @throws StartupError when the last try failed too, when a migration did, or when the URL leads to a pooler that cannot
 * carry what the service needs and `dbDirectUrl` names no way around it.
 */
export async function connectDatabase(
  settings: Pick<StaticSettings, 'dbUrl' | 'dbDirectUrl' | 'dbDispatchConnections' | 'dbApiConnections'>,
  migrate: boolean,
): Promise<DataSource> {
  const { dbUrl: url, dbDirectUrl } = settings;
  if (url === null) throw new StartupError('APP_DB_URL is not set: give the URL of a PostgreSQL database');
  const logger = new Logger('Database');
  const dataSource = createDataSource(url, {
    dispatchConnections: settings.dbDispatchConnections,
    apiConnections: settings.dbApiConnections,
    viaTransactionPooler: dbDirectUrl !== null,
  });
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
  // An outage just now is for whoever comes next to tell.
  if (dbDirectUrl === null && (await isTransactionPooler(poolOf(dataSource)).catch(() => false))) {
    throw new StartupError(
      'APP_DB_URL leads to a pooler in transaction mode, over which PostgreSQL cannot notify anybody: ' +
        'name PostgreSQL itself in APP_DB_DIRECT_URL as well, or let the pooler pool sessions',
    );
  }
  if (migrate) await runMigrations(dbDirectUrl ?? url);
  return dataSource;
}

/** Runs pending migrations, one replica at a time. */
async function runMigrations(url: string): Promise<void> {
  const dataSource = migrationDataSource(url);
  const lock = new FollowingClient({
    primary: primaryOf(dataSource),
    application_name: 'message-dispatcher migrations',
  });
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
