import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { TOO_LARGE_TEXT } from './body-limits.js';
import { type ErrorReply, errorReplySchema } from './error-reply.js';

interface DocumentedError {
  readonly description: string;
  readonly example: ErrorReply;
}

const DOCUMENTED = {
  400: {
    description: 'The request does not fit: the reply names each field and its limit.',
    example: {
      error: 'colour: is not a known field',
      code: 'request.invalid',
      fields: [{ field: 'colour', error: 'is not a known field' }],
    },
  },
  401: {
    description:
      'Keys are in force here, and none came or none that is known: send it as `Authorization: Bearer <key>`.',
    example: { error: 'This call needs a key, sent as Authorization: Bearer <key>', code: 'auth.key_required' },
  },
  403: {
    description: 'The key is known and may not do this; or, where no keys are in force, a page of another site called.',
    example: { error: 'The key ci does not have the scope operate, which this call needs', code: 'auth.scope' },
  },
  404: {
    description: 'There is no such thing.',
    example: { error: 'There is no GET /nowhere here', code: 'request.not_found' },
  },
  408: {
    description: 'The body stalled.',
    example: {
      error: 'Nothing arrived for 10 s (APP_SERVER_READ_TIMEOUT), so nothing was stored',
      code: 'request.timeout',
    },
  },
  409: {
    description: 'The request does not fit the present state.',
    example: { error: 'The message was sent already', code: 'messages.already_sent' },
  },
  413: {
    description: 'The body is too large.',
    example: { error: TOO_LARGE_TEXT, code: 'request.too_large' },
  },
  415: {
    description: 'The body is of another type.',
    example: {
      error: 'The body must be JSON, sent with the header Content-Type: application/json',
      code: 'request.media_type',
    },
  },
  422: {
    description: 'The request is well-formed, and refused by a rule.',
    example: { error: 'The content is longer than 160 characters', code: 'messages.invalid' },
  },
  429: {
    description: 'Too many calls; `Retry-After` says in how many seconds to go on. `RateLimit-*` headers tell in time.',
    example: { error: 'More than 6000 calls in a minute: go on in 12 s', code: 'request.rate_limited' },
  },
  503: {
    description:
      'What the operation needs is out of reach, or clients hold more memory than the service gives them ' +
      '(`request.too_many_bodies`, `request.replies_untaken`); `Retry-After` says when to try again. Without `Retry-After` ' +
      'it may have been done all the same: look first.',
    example: {
      error: 'PostgreSQL is out of reach, so nothing was changed: try again shortly',
      code: 'database.unavailable',
    },
  },
} as const satisfies Record<number, DocumentedError>;

type DocumentedStatus = keyof typeof DOCUMENTED;

/** An error that is an operation's own: what makes it differ from the example of its status. */
interface OwnError extends ErrorReply {
  readonly status: DocumentedStatus;
}

/** What the company's own columns, constraints and triggers may answer to a new message. */
export const REFUSED_BY_DATABASE: readonly OwnError[] = [
  {
    status: 422,
    error:
      'The column tenant of the table messages must have a value, and this service does not fill it: give the column a ' +
      'default. Nothing was changed',
    code: 'database.refused',
    sqlstate: '23502',
    table: 'messages',
    column: 'tenant',
  },
  {
    status: 422,
    error:
      'The database kept a row out of the table messages without an error, so nothing was stored. This may be the work of ' +
      'the trigger route_by_year: an INSERT has to give back the row that it stored',
    code: 'messages.kept_out',
  },
];

/**
 * Documents the error replies of an operation, each with the shared schema and an example.
 * A bare status takes that status's usual example; an object gives the operation's own:
 *
 *     @ApiErrors(400, { status: 404, error: 'No message has the id 42', code: 'messages.not_found' }, 503)
 *
 * Several errors of one status become several named examples of one reply.
 */
export function ApiErrors(...errors: readonly (DocumentedStatus | OwnError)[]): MethodDecorator & ClassDecorator {
  const byStatus = new Map<DocumentedStatus, ErrorReply[]>();
  for (const error of errors) {
    const { status, ...example } = typeof error === 'number' ? { status: error, ...DOCUMENTED[error].example } : error;
    byStatus.set(status, [...(byStatus.get(status) ?? []), example]);
  }
  return applyDecorators(
    ...[...byStatus].map(([status, examples]) =>
      ApiResponse({
        status,
        description: DOCUMENTED[status].description,
        standardSchema: errorReplySchema,
        examples: Object.fromEntries(examples.map((value) => [value.code, { summary: value.error, value }])),
      }),
    ),
  );
}
