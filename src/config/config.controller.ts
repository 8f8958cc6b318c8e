import { Body, Controller, Delete, Get, Param, Put, Query, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { ApiErrors } from '../api-errors.js';
import { actorOf, type ActingRequest } from '../caller.js';
import { RequiredScope } from '../required-scope.js';
import { ConfigChanges } from './config-changes.js';
import {
  configSchema,
  deleteQuerySchema,
  keySchema,
  putSettingSchema,
  settingSchema,
  toConfig,
  toSetting,
  type PutSetting,
} from './config.schemas.js';
import { LiveConfig } from './live-config.js';
import { LiveSettingsWriter } from './live-settings-writer.js';

const UNKNOWN_KEY = {
  status: 404,
  error: '"rate_limt" is not a live setting; did you mean rate_limit?',
  code: 'config.unknown_key',
} as const;
const CONFLICTS = [
  { status: 409, error: 'There is no etcd to write to: change dynamic_config.yaml', code: 'config.no_etcd' },
  {
    status: 409,
    error: 'rate_limit was changed by somebody else in the meantime: read GET /config and try again with its version',
    code: 'config.changed_meanwhile',
  },
] as const;
const UNAVAILABLE = {
  status: 503,
  error: 'etcd has been out of reach since 2026-01-20T14:36:51.123Z, nothing was changed',
  code: 'config.etcd_unavailable',
} as const;
const MISFIT = {
  status: 400,
  error: 'webhook_auth_key must be text, but is a list of numbers',
  code: 'config.invalid_type',
} as const;
const REFUSED = {
  status: 422,
  error: 'rate_limit must be a whole number from 1 to 1000000, but is "0"',
  code: 'config.invalid_value',
} as const;

@ApiTags('config')
@Controller('config')
export class ConfigController {
  constructor(
    private readonly live: LiveConfig,
    private readonly writer: LiveSettingsWriter,
    private readonly changes: ConfigChanges,
  ) {}

  @Get()
  @RequiredScope('read')
  @ApiOperation({
    operationId: 'getConfig',
    summary: 'The live settings in force',
    description:
      'Each with its source and version, what was refused and why, and how the sources do. Secrets are masked.',
  })
  @ApiOkResponse({ description: 'All live settings.', standardSchema: configSchema })
  read() {
    return toConfig(this.live.describe());
  }

  @Put(':key')
  @RequiredScope('operate')
  @ApiOperation({
    operationId: 'setConfig',
    summary: 'Set a live setting in etcd',
    description:
      'In force here when it is answered, and on every replica within 100 ms. A 503 `config.etcd_unavailable` that does ' +
      'not say that nothing was changed leaves open whether it was: look at `GET /config`.',
  })
  @ApiOkResponse({ description: 'The setting as it is in force now.', standardSchema: settingSchema })
  @ApiErrors(400, MISFIT, UNKNOWN_KEY, ...CONFLICTS, 413, 415, REFUSED, UNAVAILABLE)
  async put(
    @Param('key', { schema: keySchema }) key: string,
    @Body({ schema: putSettingSchema }) body: PutSetting,
    @Req() request: ActingRequest,
  ) {
    const written = await this.writer.set(key, body.value, body.version);
    await this.changes.note(actorOf(request, undefined), 'config-set', written);
    return toSetting(await this.writer.inForce(key));
  }

  @Delete(':key')
  @RequiredScope('operate')
  @ApiOperation({
    operationId: 'deleteConfig',
    summary: 'Delete a live setting from etcd',
    description: 'The YAML file counts then, or the default. Deleting what is not there is no error.',
  })
  @ApiOkResponse({ description: 'The setting as it is in force now.', standardSchema: settingSchema })
  @ApiErrors(400, UNKNOWN_KEY, ...CONFLICTS, UNAVAILABLE)
  async delete(
    @Param('key', { schema: keySchema }) key: string,
    @Query({ schema: deleteQuerySchema }) query: z.infer<typeof deleteQuerySchema>,
    @Req() request: ActingRequest,
  ) {
    const written = await this.writer.unset(key, query.version);
    await this.changes.note(actorOf(request, undefined), 'config-unset', written);
    return toSetting(await this.writer.inForce(key));
  }
}
