import { Module, type DynamicModule } from '@nestjs/common';
import { RedisModule } from '@liaoliaots/nestjs-redis';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Redis } from 'ioredis';
import { LoggerModule } from 'nestjs-pino';
import { AccessModule } from './access/access.module.js';
import { ConfigModule } from './config/config.module.js';
import type { StaticSettings } from './config/static-settings.js';
import { connectDatabase } from './connect-database.js';
import { dataSourceOptions } from './data-source.js';
import { DispatchModule } from './dispatch/dispatch.module.js';
import { HealthModule } from './health/health.module.js';
import { ImportModule } from './import/import.module.js';
import { loggingParams } from './logging.js';
import { MessagesModule } from './messages/messages.module.js';
import { SchedulerModule } from './scheduler/scheduler.module.js';
import { StartupError } from './startup-error.js';

/** In these environments the schema is brought up to date at start; elsewhere that is a deployment's own step. */
const MIGRATING_ENVS: ReadonlySet<string> = new Set(['local', 'dev']);

/** The module list. */
@Module({})
// oxlint-disable-next-line typescript/no-extraneous-class -- a Nest module is a class
export class AppModule {
  static register(settings: StaticSettings): DynamicModule {
    const { dbUrl } = settings;
    if (dbUrl === null) throw new StartupError('APP_DB_URL is not set: give the URL of a PostgreSQL database');
    return {
      module: AppModule,
      imports: [
        LoggerModule.forRoot(loggingParams(settings)),
        ConfigModule.register(settings),
        TypeOrmModule.forRootAsync({
          useFactory: () => ({ ...dataSourceOptions(dbUrl), retryAttempts: 0 }),
          dataSourceFactory: async () => await connectDatabase(dbUrl, MIGRATING_ENVS.has(settings.env)),
        }),
        ...redisModules(settings),
        MessagesModule,
        SchedulerModule,
        DispatchModule,
        HealthModule,
        ImportModule,
        AccessModule,
      ],
    };
  }
}

/** Redis is optional: without an address there is no client, and with one that does not answer the service starts all the same. */
function redisModules({ redis }: StaticSettings): DynamicModule[] {
  if (redis === null) return [];
  const config = {
    host: redis.host,
    port: redis.port,
    db: redis.db,
    ...(redis.password === null ? {} : { password: redis.password }),
    // A command while Redis is away fails at once rather than wait for it.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // A connection on which nobody answers any more is given up; keep-alive alone would not notice for hours.
    socketTimeout: 5_000,
    connectTimeout: 2_000,
    keepAlive: 10_000,
    retryStrategy: (tries: number) => Math.min(100 * 2 ** tries, 2_000),
    // ioredis prints errors that nobody listens to, and RedisConnection, which tells of them, may not exist yet.
    onClientCreated: (client: Redis) => client.on('error', () => undefined),
  };
  return [RedisModule.forRoot({ readyLog: false, errorLog: false, config })];
}
