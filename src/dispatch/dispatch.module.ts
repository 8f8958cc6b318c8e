import { Module } from '@nestjs/common';
import { MessagesModule } from '../messages/messages.module.js';
import { RedisConnectionModule } from '../redis.module.js';
import { SchedulerModule } from '../scheduler/scheduler.module.js';
import { DeliveryReceipts } from './delivery-receipts.js';
import { Dispatcher } from './dispatcher.js';
import { WebhookClient } from './webhook.client.js';

@Module({
  imports: [MessagesModule, RedisConnectionModule, SchedulerModule],
  providers: [DeliveryReceipts, WebhookClient, Dispatcher],
  exports: [Dispatcher],
})
export class DispatchModule {}
