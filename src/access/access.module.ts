import { Module } from '@nestjs/common';
import { DatabaseModule } from '../database.module.js';
import { OperatorActionsController } from './operator-actions.controller.js';

@Module({ imports: [DatabaseModule], controllers: [OperatorActionsController] })
export class AccessModule {}
