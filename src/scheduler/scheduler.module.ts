import { Module } from '@nestjs/common';
import { FleetChannel } from './fleet-channel.js';
import { FleetControl } from './fleet-control.js';
import { IntervalQueue } from './interval-queue.js';
import { JobHistory } from './job-history.js';
import { JobRunner } from './job-runner.js';
import { LastAttemptCopy } from './last-attempt-copy.js';
import { ScheduleStore } from './schedule-store.js';
import { SchedulerController } from './scheduler.controller.js';

import { DatabaseModule } from '../database.module.js';
import { RedisConnectionModule } from '../redis.module.js';

@Module({
  imports: [DatabaseModule, RedisConnectionModule],
  controllers: [SchedulerController],
  providers: [ScheduleStore, FleetChannel, LastAttemptCopy, JobRunner, IntervalQueue, FleetControl, JobHistory],
  exports: [IntervalQueue],
})
export class SchedulerModule {}
