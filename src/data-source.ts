import pg, { types, type ClientBase, type Pool } from 'pg';
import { AbstractLogger, DataSource, type DataSourceOptions } from 'typeorm';
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
import { AddDoubtAndSitOuts1763900000012 } from '../migrations/1763900000012-add-doubt-and-sit-outs.js';
import { ClaimRetriesInPlace1763900000013 } from '../migrations/1763900000013-claim-retries-in-place.js';
import { CreateUnwrittenOutcomes1763900000014 } from '../migrations/1763900000014-create-unwritten-outcomes.js';
import { CreateFleetSettings1763900000015 } from '../migrations/1763900000015-create-fleet-settings.js';
import { RememberWhoWentSilent1763900000016 } from '../migrations/1763900000016-remember-who-went-silent.js';
import { IndexWhatListsNeed1763900000017 } from '../migrations/1763900000017-index-what-lists-need.js';
import { CountNullAsUnsent1763900000020 } from '../migrations/1763900000020-count-null-as-unsent.js';
import { CountFailuresOfJobs1763900000022 } from '../migrations/1763900000022-count-failures-of-jobs.js';
import { TryClaimsAsTheyAreMade1763900000025 } from '../migrations/1763900000025-try-claims-as-they-are-made.js';
import { IndexWhatRetentionReads1763900000026 } from '../migrations/1763900000026-index-what-retention-reads.js';
import { RememberLapsedLeases1763900000029 } from '../migrations/1763900000029-remember-lapsed-leases.js';
import { CreateRetention1763900000030 } from '../migrations/1763900000030-create-retention.js';
import { LetJobsTrail1763900000031 } from '../migrations/1763900000031-let-jobs-trail.js';
import { KeepLimitsSetBacksAndFiles1763900000032 } from '../migrations/1763900000032-keep-limits-set-backs-and-files.js';
import { TellKeptMessagesApart1763900000035 } from '../migrations/1763900000035-tell-kept-messages-apart.js';
import { parseDatabaseAddress } from './config/database-address.js';
import { FollowingClient } from './following-client.js';
import { Message } from './messages/message.entity.js';
import { MIGRATIONS_TABLE } from './preflight/table-contract.js';
import { PrimaryFinder } from './primary-finder.js';
import { ServicePool } from './service-pool.js';

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
  AddDoubtAndSitOuts1763900000012,
  ClaimRetriesInPlace1763900000013,
  CreateUnwrittenOutcomes1763900000014,
  CreateFleetSettings1763900000015,
  RememberWhoWentSilent1763900000016,
  IndexWhatListsNeed1763900000017,
  CountNullAsUnsent1763900000020,
  CountFailuresOfJobs1763900000022,
  TryClaimsAsTheyAreMade1763900000025,
  IndexWhatRetentionReads1763900000026,
  RememberLapsedLeases1763900000029,
  CreateRetention1763900000030,
  LetJobsTrail1763900000031,
  KeepLimitsSetBacksAndFiles1763900000032,
  TellKeptMessagesApart1763900000035,
];

/** BIGINT as a JSON number: ids stay below 2^53 for 14,000 years at 20,000 a second. */
types.setTypeParser(types.builtins.INT8, Number);

/** How a process is connected to PostgreSQL, apart from where that is. */
export interface ConnectionPlan {
  /** Connections for claims, settlements and turns. */
  readonly dispatchConnections: number;
  /** Connections for everything that a caller of the API waits for. */
  readonly apiConnections: number;
  /** Whether APP_DB_URL leads to a pooler that hands connections on after each transaction, which forgets what a session sets. */
  readonly viaTransactionPooler: boolean;
}

export const DEFAULT_PLAN: ConnectionPlan = { dispatchConnections: 5, apiConnections: 5, viaTransactionPooler: false };

/** So long the server may take to answer a statement before its connection is given up. */
const ANSWER_WITHIN_MS = 8_000;
/** A statement of the API ends before its connection would be given up, and the caller learns that nothing was done. */
const API_STATEMENT_MS = 5_000;
/** Ends what this process has given up and could not cancel. Later than `ANSWER_WITHIN_MS`: until then it is an outage. */
const DISPATCH_STATEMENT_MS = 15_000;
/**
 * So long a statement of a job or a turn waits for the lock of a table, which it takes before it runs and can set a limit of its
 * own. It then says that there is a lock, and not only that it took long.
 */
const TABLE_LOCK_MS = 3_000;
const API_WAITING_MAX = 500;
/** Renewals never wait behind anything else; as many jobs as this may renew at the same instant. */
const RENEWAL_CONNECTIONS = 4;

/**
 * The one description of the database, for the app and for the migration command.
 * A query that the server does not answer in 8 s fails and its connection is dropped: a black-holed server must not
 * hang the service. Idle connections are closed before that, so that the next try gets a new one. Keep-alive probes start
 * after 10 s, so a peer that vanished is noticed within half a minute. Of several servers, that which takes writes is used.
 * A migration, `migratingAs` so, waits for each answer as long as it takes.
 */
export function dataSourceOptions(
  url: string,
  { apiConnections, viaTransactionPooler } = DEFAULT_PLAN,
  migratingAs?: string,
): DataSourceOptions {
  const primary = primaryFinder(url);
  const migrating = migratingAs !== undefined;
  const session = migrating ? MIGRATING_SESSION : sessionOf(API_STATEMENT_MS);
  return {
    type: 'postgres',
    url: primary.address.servers[0].url,
    entities: [Message],
    migrations: MIGRATIONS,
    migrationsTableName: MIGRATIONS_TABLE,
    migrationsTransactionMode: 'each',
    synchronize: false,
    logging: false,
    logger: new SilentLogger(),
    poolSize: apiConnections,
    applicationName: migratingAs ?? 'message-dispatcher',
    driver: { ...pg, Pool: ServicePool },
    connectTimeoutMS: connectWithinMs(primary),
    extra: {
      ...clientConfig(primary, migrating ? 0 : ANSWER_WITHIN_MS, viaTransactionPooler ? undefined : session),
      maxWaiting: API_WAITING_MAX,
    },
  };
}

/** TypeORM prints what fails on the console, whatever `logging` says; whoever gets the error says it. */
class SilentLogger extends AbstractLogger {
  protected override writeLog(): void {}
}

/**
 * What a role or a database sets by default for people at a prompt must not decide here: a stricter isolation level turns
 * lost races into errors, and other time limits end statements in the middle.
 */
function sessionOf(statementMs: number, lockMs = 0): string {
  return (
    `SET statement_timeout = ${statementMs}; SET lock_timeout = ${lockMs}; ` +
    `SET default_transaction_isolation = 'read committed'`
  );
}

/**
 * Whatever the statistics say, or do not say yet: the statements of a job read by the indexes that were made for them. A plan
 * that reads or joins whole tables, or sorts what an index has in order, is right for a table that is small when it is made, and stays.
 */
const BY_INDEX = ['seqscan', 'bitmapscan', 'sort', 'hashjoin', 'mergejoin']
  .map((way) => `SET enable_${way} = off`)
  .join('; ')
  .concat('; SET jit = off');

function clientConfig(primary: PrimaryFinder, queryTimeoutMs: number, session: string | undefined) {
  return {
    // The pool hands its whole configuration on; its types say that a client takes none.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    Client: FollowingClient as unknown as new () => ClientBase,
    primary,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    query_timeout: queryTimeoutMs,
    session,
    idleTimeoutMillis: 5_000,
  };
}

/** The pool counts the search among the servers, too. */
function connectWithinMs({ address: { servers, serverTimeoutMs } }: PrimaryFinder): number {
  return Math.max(5_000, (servers.length + 1) * serverTimeoutMs);
}

/**
 * The connections of one process. What callers of the API ask for goes over TypeORM's pool; the scheduler has a pool of its
 * own, and the renewals of its leases another one, so that nothing a caller does delays either; retention has one connection, while it works.
 */
export class ServiceDataSource extends DataSource {
  readonly dispatchPool: Pool;
  readonly renewalPool: Pool;
  readonly retentionPool: Pool;

  constructor(url: string, plan: ConnectionPlan) {
    super(dataSourceOptions(url, plan));
    const primary = primaryOf(this);
    const pool = (max: number, purpose: string, statementMs = DISPATCH_STATEMENT_MS, lockMs = 0): Pool => {
      const session = plan.viaTransactionPooler ? undefined : `${sessionOf(statementMs, lockMs)}; ${BY_INDEX}`;
      const created = new ServicePool({
        ...clientConfig(primary, ANSWER_WITHIN_MS, session),
        connectionTimeoutMillis: connectWithinMs(primary),
        application_name: `message-dispatcher ${purpose}`,
        max,
      });
      // A connection that breaks while idle has left the pool; the next statement gets another one.
      created.on('error', () => undefined);
      return created;
    };
    this.dispatchPool = pool(plan.dispatchConnections, 'dispatching', DISPATCH_STATEMENT_MS, TABLE_LOCK_MS);
    this.renewalPool = pool(RENEWAL_CONNECTIONS, 'renewing');
    this.retentionPool = pool(1, 'forgetting', API_STATEMENT_MS);
  }

  override async destroy(): Promise<void> {
    const pools = [this.dispatchPool, this.renewalPool, this.retentionPool];
    await Promise.all(pools.filter((pool) => !pool.ending).map((pool) => pool.end()));
    await super.destroy();
  }
}

/**
 * Sets aside what a role or a database limits for people at a prompt: a rewrite takes as long as it takes. A lock, however, is
 * waited for briefly, because everybody else queues up behind who waits for it. Not every version has every limit.
 */
export const MIGRATING_SESSION = `
  SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN '3s' ELSE '0' END, FALSE) FROM pg_settings
  WHERE name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
                 'transaction_timeout')`;

/** For migrations. `applicationName` tells its one connection from all others. */
export function migrationDataSource(url: string, applicationName: string): DataSource {
  return new DataSource(dataSourceOptions(url, { ...DEFAULT_PLAN, apiConnections: 1 }, applicationName));
}

export function createDataSource(url: string, plan = DEFAULT_PLAN): ServiceDataSource {
  return new ServiceDataSource(url, plan);
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

/** TypeORM's own pool, which serves the API, for SQL that goes past TypeORM. */
export function poolOf(dataSource: DataSource): Pool {
  // TypeORM types the driver by its general interface; ours is PostgreSQL's, whose pool is `master`.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return (dataSource.driver as unknown as { master: Pool }).master;
}
