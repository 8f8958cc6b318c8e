import { Module } from '@nestjs/common';
import { StaticSettings } from '../config/static-settings.js';
import { WebhookTargets } from '../config/webhook-targets.js';
import { DatabaseModule } from '../database.module.js';
import { MessagesModule } from '../messages/messages.module.js';
import { RedisConnectionModule } from '../redis.module.js';
import { SchedulerModule } from '../scheduler/scheduler.module.js';
import { ClaimEndings } from './claim-endings.js';
import { ClockFollower } from './clock-follower.js';
import { DeliveryReceipts } from './delivery-receipts.js';
import { Dispatcher } from './dispatcher.js';
import { EgressGuard } from './egress-guard.js';
import { OutcomeRetry } from './outcome-retry.js';
import { WebhookClient } from './webhook.client.js';

@Module({
  imports: [DatabaseModule, MessagesModule, RedisConnectionModule, SchedulerModule],
  providers: [
    DeliveryReceipts,
    OutcomeRetry,
    ClaimEndings,
    ClockFollower,
    {
      provide: EgressGuard,
      useFactory: (targets: WebhookTargets, { webhookTls }: StaticSettings) => new EgressGuard(targets, webhookTls),
      inject: [WebhookTargets, StaticSettings],
    },
    WebhookClient,
    Dispatcher,
  ],
  exports: [Dispatcher],
})
export class DispatchModule {}
