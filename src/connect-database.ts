import { Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import type { StaticSettings } from './config/static-settings.js';
import { createDataSource, poolOf } from './data-source.js';
import { maskSecrets } from './mask-secrets.js';
import { reasonOf } from './reason-of.js';
import { runMigrations } from './run-migrations.js';
import { StartupError } from './startup-error.js';
import { isTransactionPooler } from './transaction-pooler.js';

const RETRY_AFTER_SECONDS = [1, 2, 4, 8, 16];

/**
 * Connects to PostgreSQL, trying again after 1, 2, 4, 8 and 16 s, and brings the schema up to date when `migrate` says so;
 * `widenId` makes `messages.id` a BIGINT as well.
 * @throws StartupError when the last try failed too, when a migration did, or when the URL leads to a pooler that cannot
 * carry what the service needs and `dbDirectUrl` names no way around it.
 */
export async function connectDatabase(
  settings: Pick<StaticSettings, 'dbUrl' | 'dbDirectUrl' | 'dbDispatchConnections' | 'dbApiConnections'>,
  migrate: boolean,
  { widenId } = { widenId: false },
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
  if (migrate) await runMigrations(dbDirectUrl ?? url, { widenId });
  return dataSource;
}
