import { Body, Controller, HttpCode, Param, Post, Req } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiErrors } from '../api-errors.js';
import { actorOf, type ActingRequest } from '../caller.js';
import { RequiredScope } from '../required-scope.js';
import { CANCELLED_EXAMPLE } from './message.examples.js';
import { idSchema, messageSchema } from './message.schemas.js';
import { MessageOperations } from './message-operations.js';
import { MessageReplay } from './message-replay.js';
import {
  actSchema,
  replayResultSchema,
  replaySchema,
  resolveSchema,
  type Act,
  type Replay,
  type Resolution,
} from './operation.schemas.js';

const REFUSED_CHANGE = {
  status: 422,
  error:
    'The database refused the change: it breaks the constraint only_turkish of the table messages. Nothing was changed',
  code: 'database.refused',
  sqlstate: '23514',
  table: 'messages',
  constraint: 'only_turkish',
} as const;

const keptAsItWas = (asked: string) => ({
  status: 422 as const,
  error:
    `Message 42 was not ${asked}: PostgreSQL wrote it, and a trigger or a row policy kept the row as it was. Nothing was changed; ` +
    'look at the triggers and policies of the table messages',
  code: 'messages.kept_as_it_was',
});

const NOT_FOUND = { status: 404, error: 'No message has the id 42', code: 'messages.not_found' } as const;

/** What a message's state may say against an act: it is sent, or being sent, or what else `state` names. */
const conflicts = (asked: string, state?: 'failed') => [
  { status: 409 as const, error: `Message 42 is sent and cannot be ${asked}`, code: 'messages.already_sent' },
  {
    status: 409 as const,
    error: `Message 42 is being sent at this moment and cannot be ${asked}: ask again when its attempt has ended`,
    code: 'messages.sending',
  },
  ...(state === undefined
    ? []
    : [{ status: 409 as const, error: `Message 42 is ${state} and cannot be ${asked}`, code: `messages.${state}` }]),
];

/** What operators decide about messages. Repeating a call changes nothing more. */
@ApiTags('operations')
@Controller('messages')
export class OperationsController {
  constructor(
    private readonly operations: MessageOperations,
    private readonly parked: MessageReplay,
  ) {}

  @Post('replay')
  @HttpCode(200)
  @RequiredScope('operate')
  @ApiOperation({
    operationId: 'replayMessages',
    summary: 'Send parked messages again',
    description:
      'All that match the filter and were parked before the call, in the order of their ids. One call works for up to 20 s: ' +
      'while the answer says `complete: false`, the same call goes on with the rest, as it does after a 503 (`after: next_after` ' +
      'spares it what the database refused before). A message that the database refuses to change, or that another transaction ' +
      'holds, stays as it is, is counted and holds up no other.',
  })
  @ApiOkResponse({ description: 'How many.', standardSchema: replayResultSchema })
  @ApiErrors(400, 415, 503, {
    status: 503,
    error: '3 replays are under way here already: try again when one has ended',
    code: 'messages.replay_busy',
  })
  async replay(@Body({ schema: replaySchema }) body: Replay, @Req() request: ActingRequest) {
    return await this.parked.replay(body, actorOf(request, body));
  }

  @Post(':id/retry')
  @HttpCode(200)
  @RequiredScope('operate')
  @ApiBody({ required: false })
  @ApiOperation({
    operationId: 'retryMessage',
    summary: 'Send a parked or pausing message again',
    description: 'In its turn, under the same idempotency key, with a fresh count of attempts.',
  })
  @ApiOkResponse({ description: 'The message as it is now.', standardSchema: messageSchema })
  @ApiErrors(400, NOT_FOUND, ...conflicts('sent again'), REFUSED_CHANGE, keptAsItWas('sent again'), 503)
  async retry(
    @Param('id', { schema: idSchema }) id: number,
    @Body({ schema: actSchema }) act: Act,
    @Req() request: ActingRequest,
  ) {
    return await this.operations.retry(id, actorOf(request, act));
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @RequiredScope('operate')
  @ApiBody({ required: false })
  @ApiOperation({
    operationId: 'cancelMessage',
    summary: 'Take a message out of the queue',
    description: 'Until it is retried. One that is being sent is left alone.',
  })
  @ApiOkResponse({
    description: 'The message as it is now.',
    standardSchema: messageSchema,
    example: CANCELLED_EXAMPLE,
  })
  @ApiErrors(400, NOT_FOUND, ...conflicts('cancelled'), REFUSED_CHANGE, keptAsItWas('cancelled'), 503)
  async cancel(
    @Param('id', { schema: idSchema }) id: number,
    @Body({ schema: actSchema }) act: Act,
    @Req() request: ActingRequest,
  ) {
    return await this.operations.cancel(id, actorOf(request, act));
  }

  @Post(':id/resolve')
  @HttpCode(200)
  @RequiredScope('operate')
  @ApiOperation({ operationId: 'resolveMessage', summary: 'Say whether an uncertain message was delivered' })
  @ApiOkResponse({ description: 'The message as it is now.', standardSchema: messageSchema })
  @ApiErrors(400, NOT_FOUND, ...conflicts('resolved', 'failed'), 415, REFUSED_CHANGE, keptAsItWas('resolved'), 503)
  async resolve(
    @Param('id', { schema: idSchema }) id: number,
    @Body({ schema: resolveSchema }) body: Resolution,
    @Req() request: ActingRequest,
  ) {
    return await this.operations.resolve(id, body.delivered, actorOf(request, body));
  }
}
