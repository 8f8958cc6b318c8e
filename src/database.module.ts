import { Module } from '@nestjs/common';
import { Database } from './database.js';
import { SchemaGate } from './schema-gate.js';

@Module({ providers: [Database, SchemaGate], exports: [Database, SchemaGate] })
export class DatabaseModule {}
