import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database.module.js';
import { MessageClaims } from './message-claims.js';
import { MessageIntake } from './message-intake.js';
import { MessagesController } from './messages.controller.js';
import { MessagesRepository } from './messages.repository.js';

@Module({
  imports: [DatabaseModule],
  controllers: [MessagesController],
  providers: [MessagesRepository, MessageClaims, MessageIntake],
  exports: [MessageClaims, MessagesRepository],
})
export class MessagesModule {}
