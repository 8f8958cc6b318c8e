import { Module } from '@nestjs/common';
import { Database } from './database.js';
import { OperatorActions } from './operator-actions.js';
import { SchemaGate } from './schema-gate.js';

@Module({ providers: [Database, SchemaGate, OperatorActions], exports: [Database, SchemaGate, OperatorActions] })
export class DatabaseModule {}
