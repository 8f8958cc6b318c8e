import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { ApiErrors, REFUSED_BY_DATABASE } from '../api-errors.js';
import { MAX_MESSAGES_BYTES } from '../body-limits.js';
import type { ActingRequest } from '../caller.js';
import { refusal } from '../request-validation.js';
import { RequiredScope } from '../required-scope.js';
import {
  ATTEMPTS_MAX,
  attemptSchema,
  attemptsQuerySchema,
  batchResultSchema,
  DEFAULT_LIMIT,
  idSchema,
  keySchema,
  listQuerySchema,
  messageSchema,
  messageWithAttemptsSchema,
  postBodySchema,
  sentMessageSchema,
  sentQuerySchema,
  type AttemptsQuery,
  type ListQuery,
  type SentQuery,
} from './message.schemas.js';
import { fromCursor, toCursor } from './sent-cursor.js';
import { MessageIntake } from './message-intake.js';
import { MessageNotFound } from './message-errors.js';
import { MessageLists } from './message-lists.repository.js';
import { MessagesRepository } from './messages.repository.js';

const LINK_HEADER = {
  Link: { description: 'The next page, `rel="next"`, when there is one.', schema: { type: 'string' as const } },
};

const KEY_HEADER = 'idempotency-key';
const REPLAYED_HEADER = {
  'Idempotent-Replayed': {
    description: '`true` when this is the first answer to an `Idempotency-Key`, given again.',
    schema: { type: 'string' as const },
  },
};

const BAD_ID = {
  status: 400 as const,
  error: 'id: must be a whole number',
  code: 'request.invalid',
  fields: [{ field: 'id', error: 'must be a whole number' }],
};
const NOT_FOUND = { status: 404 as const, error: 'No message has the id 42', code: 'messages.not_found' };

interface HeaderWriter {
  header(name: string, value: string): unknown;
}

@ApiTags('messages')
@Controller()
export class MessagesController {
  constructor(
    private readonly messages: MessagesRepository,
    private readonly lists: MessageLists,
    private readonly intake: MessageIntake,
  ) {}

  @Get('sent')
  @RequiredScope('read')
  @ApiOperation({
    operationId: 'listSent',
    summary: 'Sent messages, newest first',
    description:
      'The newest 1,000 unless `limit` says less. When there is more, `Link: <…>; rel="next"` tells the next page.',
  })
  @ApiOkResponse({
    description: 'A bare array; `[]` when nothing was sent.',
    standardSchema: z.array(sentMessageSchema),
    headers: LINK_HEADER,
  })
  @ApiErrors(400, 503)
  async listSent(
    @Query({ schema: sentQuerySchema }) query: SentQuery,
    @Res({ passthrough: true }) reply: HeaderWriter,
  ) {
    const limit = query.limit ?? DEFAULT_LIMIT;
    const after = query.cursor === undefined ? null : fromCursor(query.cursor);
    const { messages, next } = await this.lists.listSent(limit, after);
    if (next !== null) reply.header('Link', `<?limit=${limit}&cursor=${toCursor(next)}>; rel="next"`);
    return messages;
  }

  @Post('messages')
  @HttpCode(201)
  @RequiredScope('send', { maxBodyBytes: MAX_MESSAGES_BYTES })
  @ApiOperation({
    operationId: 'createMessages',
    summary: 'Store a message, or up to 1,000',
    description:
      'One message is answered with that message; a list with a result per item. All of a list is stored, or nothing: when an item is refused the reply is 400 and `results` tells which.',
  })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description:
      '1 to 255 printable characters, unique to this request. The same key and body again stores nothing and gets the ' +
      'first answer, with `Idempotent-Replayed: true`. Keys are kept for a day at least; refused requests keep none. ' +
      'Without a key, a reply that is lost and a 503 without `Retry-After` leave open whether the request was stored.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
    example: '8e03978e-40d5-43dd-bc93-6894a57f9324',
  })
  @ApiCreatedResponse({
    description: 'Stored; it goes out in its turn.',
    standardSchema: z.union([messageSchema, batchResultSchema]),
    headers: REPLAYED_HEADER,
  })
  @ApiErrors(
    400,
    {
      status: 400,
      error: '1 of 2 messages is invalid, so none was stored',
      code: 'messages.invalid',
      results: [
        { index: 0, status: 'not_stored' },
        { index: 1, status: 'invalid', errors: [{ field: 'content', error: 'must not be empty' }] },
      ],
    },
    {
      status: 409,
      error: 'A request with this Idempotency-Key is under way: try again when it has been answered',
      code: 'messages.idempotency_key_in_use',
    },
    413,
    415,
    {
      status: 422,
      error: 'This Idempotency-Key came with another body before: give each request a key of its own',
      code: 'messages.idempotency_key_reused',
    },
    ...REFUSED_BY_DATABASE,
    503,
  )
  async create(
    @Body({ schema: postBodySchema }) body: z.infer<typeof postBodySchema>,
    @Headers(KEY_HEADER) keyText: string | undefined,
    @Req() request: ActingRequest,
    @Res({ passthrough: true }) reply: HeaderWriter,
  ): Promise<string> {
    const key = keyText === undefined ? null : keySchema.safeParse(keyText);
    if (key?.success === false) throw refusal(key.error.issues, 'Idempotency-Key');
    const answer = await this.intake.take(body, key?.data ?? null, request.caller);
    if (answer.replayed) reply.header('Idempotent-Replayed', 'true');
    reply.header('content-type', 'application/json; charset=utf-8');
    return answer.body;
  }

  @Get('messages')
  @RequiredScope('read')
  @ApiOperation({
    operationId: 'listMessages',
    summary: 'Messages by state, oldest first',
    description:
      'When there is more, `Link: <…>; rel="next"` tells the next page. One call looks at 10,000 messages at most: a page of ' +
      '`waiting`, `sending` or `sent` may be short or empty and have a next one all the same.',
  })
  @ApiOkResponse({ description: 'A bare array.', standardSchema: z.array(messageSchema), headers: LINK_HEADER })
  @ApiErrors(400, 503)
  async list(@Query({ schema: listQuerySchema }) query: ListQuery, @Res({ passthrough: true }) reply: HeaderWriter) {
    const limit = query.limit ?? DEFAULT_LIMIT;
    const { messages, next } = await this.lists.list(
      query.state ?? null,
      query.after ?? Number.MIN_SAFE_INTEGER,
      limit,
    );
    if (next !== null) {
      const state = query.state === undefined ? '' : `state=${query.state}&`;
      reply.header('Link', `<?${state}limit=${limit}&after=${next}>; rel="next"`);
    }
    return messages;
  }

  @Get('messages/:id')
  @RequiredScope('read')
  @ApiOperation({ operationId: 'getMessage', summary: 'One message, with its newest attempts' })
  @ApiOkResponse({ description: 'The message.', standardSchema: messageWithAttemptsSchema })
  @ApiErrors(BAD_ID, NOT_FOUND, 503)
  async find(@Param('id', { schema: idSchema }) id: number) {
    const message = await this.messages.find(id);
    if (message === null) throw new MessageNotFound(id);
    // After the message, not beside it: a message that reads as sent then always has the attempt that sent it.
    const { attempts, next } = await this.messages.attempts(id, ATTEMPTS_MAX);
    return { ...message, attempts_next: next, attempts: attempts.toReversed() };
  }

  @Get('messages/:id/attempts')
  @RequiredScope('read')
  @ApiOperation({
    operationId: 'listAttempts',
    summary: 'The attempts to send a message, newest first',
    description:
      'When there is more, `Link: <…>; rel="next"` tells the next page. What was kept of a message that was deleted is listed; ' +
      'an id that never was has none.',
  })
  @ApiOkResponse({ description: 'A bare array.', standardSchema: z.array(attemptSchema), headers: LINK_HEADER })
  @ApiErrors(BAD_ID, 503)
  async listAttempts(
    @Param('id', { schema: idSchema }) id: number,
    @Query({ schema: attemptsQuerySchema }) query: AttemptsQuery,
    @Res({ passthrough: true }) reply: HeaderWriter,
  ) {
    const limit = query.limit ?? ATTEMPTS_MAX;
    const { attempts, next } = await this.messages.attempts(id, limit, query.before);
    if (next !== null) reply.header('Link', `<?limit=${limit}&before=${next}>; rel="next"`);
    return attempts;
  }
}
