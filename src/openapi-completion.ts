import type { OpenAPIObject } from '@nestjs/swagger';
import { TOO_LARGE_TEXT } from './body-limits.js';
import type { ErrorReply } from './error-reply.js';

type Paths = OpenAPIObject['paths'];
type Operation = NonNullable<Paths[string]['get']>;
type Responses = Operation['responses'];

interface SharedReply {
  readonly status: number;
  readonly description: string;
  readonly example: ErrorReply;
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;

/** What any request can be answered, whatever it asks for: Node or Fastify says so before the operation is reached. */
const ANY_REQUEST: readonly SharedReply[] = [
  {
    status: 400,
    description: 'The request does not fit.',
    example: { error: 'This is not a well-formed HTTP request', code: 'request.malformed' },
  },
  {
    status: 408,
    description: 'The request took too long to arrive.',
    example: {
      error: 'The request did not arrive in time (APP_SERVER_READ_TIMEOUT)',
      code: 'request.timeout',
    },
  },
  {
    status: 431,
    description: 'The headers are too large.',
    example: {
      error: 'The headers are larger than the limit of 16384 bytes',
      code: 'request.headers_too_large',
    },
  },
  {
    status: 500,
    description: 'A defect of the service: never expected, and the log has the rest.',
    example: {
      error: 'Something went wrong in the service; its log tells what, under the correlation id 5c2f…',
      code: 'internal',
      correlation_id: '5c2f…',
    },
  },
  {
    status: 503,
    description: 'The service is ending.',
    example: {
      error: 'The service is ending, and the body had not arrived: send the request again',
      code: 'request.interrupted',
    },
  },
];

/** What a request with a body can be answered besides. */
const BODY: readonly SharedReply[] = [
  {
    status: 400,
    description: 'The request does not fit.',
    example: { error: 'The body is not valid JSON', code: 'request.invalid_json' },
  },
  {
    status: 400,
    description: 'The request does not fit.',
    example: { error: 'The body is nested deeper than 32 levels', code: 'request.too_complex' },
  },
  {
    status: 413,
    description: 'The body is too large.',
    example: { error: TOO_LARGE_TEXT, code: 'request.too_large' },
  },
  {
    status: 415,
    description: 'The body is of another type.',
    example: {
      error: 'The body must be JSON, sent with the header Content-Type: application/json',
      code: 'request.media_type',
    },
  },
];

/**
 * The document with what holds for every operation alike, routes to come included: the replies that are given before
 * an operation is reached, this origin as the server, paths and schemas in the order of their names.
 */
export function completed(document: OpenAPIObject): OpenAPIObject {
  for (const path of Object.values(document.paths)) {
    for (const method of METHODS) {
      const operation = path[method];
      // Fastify reads a body that comes with these, even where none is asked for.
      if (operation) addReplies(operation.responses, method === 'get' ? ANY_REQUEST : [...ANY_REQUEST, ...BODY]);
    }
  }
  withoutTypeLimits(document);
  return {
    ...document,
    // Said, so that nobody takes it for forgotten; where the document is served, `servers` is relative to that place.
    security: document.security ?? [],
    servers: [{ url: '/' }],
    paths: byName(document.paths),
    components: { ...document.components, schemas: byName(document.components?.schemas ?? {}) },
  };
}

function addReplies(responses: Responses, replies: readonly SharedReply[]): void {
  for (const { status, description, example } of replies) {
    const reply = (responses[status] ??= {
      description,
      content: { 'application/json': { schema: { $ref: '#/components/schemas/ErrorReply' } } },
    });
    const media = 'content' in reply ? reply.content?.['application/json'] : undefined;
    if (media && media.example === undefined) {
      // An operation's own example of the same error says more.
      media.examples = { ...media.examples };
      media.examples[example.code] ??= { summary: example.error, value: example };
    }
  }
}

function byName<T>(named: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(named).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Zod writes the limits of JavaScript's numbers beside each integer; they say nothing, and crowd out what does. */
function withoutTypeLimits(schema: unknown): void {
  if (typeof schema !== 'object' || schema === null) return;
  const limited: { minimum?: unknown; maximum?: unknown } = schema;
  if (limited.minimum === Number.MIN_SAFE_INTEGER) delete limited.minimum;
  if (limited.maximum === Number.MAX_SAFE_INTEGER) delete limited.maximum;
  Object.values(schema).forEach(withoutTypeLimits);
}
