import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database.module.js';
import { Retention } from './retention.js';
import { RetentionStore } from './retention-store.js';

@Module({
  imports: [DatabaseModule],
  providers: [RetentionStore, Retention],
  exports: [Retention],
})
export class RetentionModule {}
