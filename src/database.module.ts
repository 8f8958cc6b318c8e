import { Module } from '@nestjs/common';
import { ApiDatabase, Database, RetentionDatabase } from './database.js';
import { OperatorActions } from './operator-actions.js';
import { SchemaGate } from './schema-gate.js';

@Module({
  providers: [Database, ApiDatabase, RetentionDatabase, SchemaGate, OperatorActions],
  exports: [Database, ApiDatabase, RetentionDatabase, SchemaGate, OperatorActions],
})
export class DatabaseModule {}
