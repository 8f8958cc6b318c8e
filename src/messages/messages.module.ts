import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database.module.js';
import { IntakeKeys } from './intake-keys.js';
import { MessageClaims } from './message-claims.js';
import { MessageLists } from './message-lists.repository.js';
import { MessageIntake } from './message-intake.js';
import { MessageOperations } from './message-operations.js';
import { MessageReplay } from './message-replay.js';
import { MessageSettlements } from './message-settlements.js';
import { MessagesController } from './messages.controller.js';
import { RefusedClaims } from './refused-claims.js';
import { SetBackPauses } from './set-back-pauses.js';
import { UnwrittenOutcomes } from './unwritten-outcomes.js';
import { OperationsController } from './operations.controller.js';
import { MessagesRepository } from './messages.repository.js';

@Module({
  imports: [DatabaseModule],
  controllers: [OperationsController, MessagesController],
  providers: [
    MessagesRepository,
    MessageLists,
    MessageClaims,
    MessageSettlements,
    RefusedClaims,
    UnwrittenOutcomes,
    SetBackPauses,
    IntakeKeys,
    MessageIntake,
    MessageOperations,
    MessageReplay,
  ],
  exports: [MessageClaims, MessageSettlements, MessagesRepository, RefusedClaims, SetBackPauses, UnwrittenOutcomes],
})
export class MessagesModule {}
