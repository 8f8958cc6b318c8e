import { Module, type DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
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
import { redisClients } from './redis-clients.js';
import { RetentionModule } from './retention/retention.module.js';
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
          dataSourceFactory: async () => await connectDatabase(settings, MIGRATING_ENVS.has(settings.env)),
        }),
        ...redisClients(settings.redis),
        MessagesModule,
        SchedulerModule,
        DispatchModule,
        HealthModule,
        ImportModule,
        RetentionModule,
        AccessModule,
      ],
    };
  }
}
