import { Module } from '@nestjs/common';
import { ApiDatabase, Database } from './database.js';
import { OperatorActions } from './operator-actions.js';
import { SchemaGate } from './schema-gate.js';

@Module({
  providers: [Database, ApiDatabase, SchemaGate, OperatorActions],
  exports: [Database, ApiDatabase, SchemaGate, OperatorActions],
})
export class DatabaseModule {}
