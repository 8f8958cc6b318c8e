import { types } from 'pg';
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
import { Message } from './messages/message.entity.js';

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
];

/** BIGINT as a JSON number: ids stay below 2^53 for 14,000 years at 20,000 a second. */
types.setTypeParser(types.builtins.INT8, Number);

/**
 * The one description of the database, for the app and for the migration command.
 * A query that the server does not answer in 8 s fails and its connection is dropped: a black-holed server must not
 * hang the service. Idle connections are closed before that, so that the next try gets a new one. Keep-alive probes start
 * after 10 s, so a peer that vanished is noticed within half a minute.
 */
export function dataSourceOptions(url: string, queryTimeoutMs = 8_000): DataSourceOptions {
  return {
    type: 'postgres',
    url,
    entities: [Message],
    migrations: MIGRATIONS,
    migrationsTransactionMode: 'each',
    synchronize: false,
    logging: false,
    poolSize: 10,
    applicationName: 'message-dispatcher',
    connectTimeoutMS: 5_000,
    extra: {
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
