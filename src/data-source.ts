import { types, type Pool } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { CreateMessages1763900000001 } from '../migrations/1763900000001-create-messages.js';
import { WidenMessageId1763900000002 } from '../migrations/1763900000002-widen-message-id.js';
import { AddMessageBookkeeping1763900000003 } from '../migrations/1763900000003-add-message-bookkeeping.js';
import { CreateSchedule1763900000004 } from '../migrations/1763900000004-create-schedule.js';
import { CreateDeliveryAttempts1763900000005 } from '../migrations/1763900000005-create-delivery-attempts.js';
import { CreateOperatorActions1763900000006 } from '../migrations/1763900000006-create-operator-actions.js';
import { NameWhomAnOperatorActedFor1763900000007 } from '../migrations/1763900000007-name-whom-an-operator-acted-for.js';
import { CreateImportsAndIntakeKeys1763900000008 } from '../migrations/1763900000008-create-imports-and-intake-keys.js';
import { SlimAttemptAndSentIndexes1763900000010 } from '../migrations/1763900000010-slim-attempt-and-sent-indexes.js';
import { AddClosedFence1763900000011 } from '../migrations/1763900000011-add-closed-fence.js';
import { parseDatabaseAddress } from './config/database-address.js';
import { FollowingClient } from './following-client.js';
import { Message } from './messages/message.entity.js';
import { PrimaryFinder } from './primary-finder.js';

export const MIGRATIONS = [
  CreateMessages1763900000001,
  WidenMessageId1763900000002,
  AddMessageBookkeeping1763900000003,
  CreateSchedule1763900000004,
  CreateDeliveryAttempts1763900000005,
  CreateOperatorActions1763900000006,
  NameWhomAnOperatorActedFor1763900000007,
  CreateImportsAndIntakeKeys1763900000008,
  SlimAttemptAndSentIndexes1763900000010,
  AddClosedFence1763900000011,
];

/** BIGINT as a JSON number: ids stay below 2^53 for 14,000 years at 20,000 a second. */
types.setTypeParser(types.builtins.INT8, Number);

/**
 * The one description of the database, for the app and for the migration command.
 * A query that the server does not answer in 8 s fails and its connection is dropped: a black-holed server must not
 * hang the service. Idle connections are closed before that, so that the next try gets a new one. Keep-alive probes start
 * after 10 s, so a peer that vanished is noticed within half a minute. Of several servers, that which takes writes is used.
 */
export function dataSourceOptions(url: string, queryTimeoutMs = 8_000): DataSourceOptions {
  const primary = primaryFinder(url);
  const { servers, serverTimeoutMs } = primary.address;
  return {
    type: 'postgres',
    url: servers[0].url,
    entities: [Message],
    migrations: MIGRATIONS,
    migrationsTransactionMode: 'each',
    synchronize: false,
    logging: false,
    poolSize: 10,
    applicationName: 'message-dispatcher',
    // The pool counts the search among the servers, too.
    connectTimeoutMS: Math.max(5_000, (servers.length + 1) * serverTimeoutMs),
    extra: {
      Client: FollowingClient,
      primary,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      query_timeout: queryTimeoutMs,
      idleTimeoutMillis: 5_000,
    },
  };
}

/** For migrations, which may rewrite a large table: as long as that takes. */
export function migrationDataSource(url: string): DataSource {
  return new DataSource(dataSourceOptions(url, 0));
}

export function createDataSource(url: string): DataSource {
  return new DataSource(dataSourceOptions(url));
}

/** For a database at another address than a data source's. @throws when `url` is not one that the settings take. */
export function primaryFinder(url: string): PrimaryFinder {
  const address = parseDatabaseAddress(url);
  if (address === undefined) throw new Error('this is not the URL of a PostgreSQL database');
  return new PrimaryFinder(address);
}

/** Who knows which server the data source uses. */
export function primaryOf({ options }: DataSource): PrimaryFinder {
  const extra: unknown = options.type === 'postgres' ? options.extra : null;
  if (typeof extra === 'object' && extra !== null && 'primary' in extra && extra.primary instanceof PrimaryFinder)
    return extra.primary;
  throw new Error('the data source was not made from dataSourceOptions');
}

/** The pool of the data source, for SQL that goes past TypeORM. */
export function poolOf(dataSource: DataSource): Pool {
  // TypeORM types the driver by its general interface; ours is PostgreSQL's, whose pool is `master`.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return (dataSource.driver as unknown as { master: Pool }).master;
}
