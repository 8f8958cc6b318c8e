import { Controller, Get, Query, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { ApiErrors } from '../api-errors.js';
import { OperatorActions } from '../operator-actions.js';
import { RequiredScope } from '../required-scope.js';
import {
  actionsQuerySchema,
  DEFAULT_LIMIT,
  operatorActionSchema,
  type ActionsQuery,
} from './operator-actions.schemas.js';

@ApiTags('operations')
@Controller('operator-actions')
export class OperatorActionsController {
  constructor(private readonly actions: OperatorActions) {}

  @Get()
  @RequiredScope('read')
  @ApiOperation({
    operationId: 'listOperatorActions',
    summary: 'What operators did, newest first',
    description: 'Who, when, what and why. When there is more, `Link: <…>; rel="next"` tells the next page.',
  })
  @ApiOkResponse({
    description: 'A bare array.',
    standardSchema: z.array(operatorActionSchema),
    headers: { Link: { description: 'The next page, `rel="next"`, when there is one.', schema: { type: 'string' } } },
  })
  @ApiErrors(400, 503)
  async list(
    @Query({ schema: actionsQuerySchema }) query: ActionsQuery,
    @Res({ passthrough: true }) reply: { header(name: string, value: string): unknown },
  ) {
    const limit = query.limit ?? DEFAULT_LIMIT;
    const rows = await this.actions.list(query.before ?? Number.MAX_SAFE_INTEGER, limit + 1);
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    if (rows.length > limit && last !== undefined) {
      reply.header('Link', `<?limit=${limit}&before=${last.id}>; rel="next"`);
    }
    return page;
  }
}
