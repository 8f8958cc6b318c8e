import { Module } from '@nestjs/common';
import { ImportController } from './import.controller.js';
import { MessageImport } from './message-import.js';

@Module({ controllers: [ImportController], providers: [MessageImport] })
export class ImportModule {}
