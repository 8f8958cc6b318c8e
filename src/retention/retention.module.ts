import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database.module.js';
import { Retention } from './retention.js';
import { RetentionController } from './retention.controller.js';
import { RetentionStore } from './retention-store.js';

@Module({
  imports: [DatabaseModule],
  controllers: [RetentionController],
  providers: [RetentionStore, Retention],
  exports: [Retention],
})
export class RetentionModule {}
