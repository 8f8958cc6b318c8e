import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { DatabaseModule } from '../database.module.js';
import { RedisConnectionModule } from '../redis.module.js';
import { RetentionModule } from '../retention/retention.module.js';
import { SchedulerModule } from '../scheduler/scheduler.module.js';
import { DatabasePing } from './database-ping.js';
import { HealthController } from './health.controller.js';
import { HealthIndicators } from './health.indicators.js';
import { Lifecycle } from './lifecycle.js';

@Module({
  imports: [
    DatabaseModule,
    RedisConnectionModule,
    RetentionModule,
    SchedulerModule,
    // Terminus would log an error at every probe that says no.
    TerminusModule.forRoot({ logger: false }),
  ],
  controllers: [HealthController],
  providers: [DatabasePing, HealthIndicators, Lifecycle],
})
export class HealthModule {}
