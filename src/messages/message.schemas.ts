import { z } from 'zod';
import { beforeNumber, limitUpTo, numberText } from '../query-numbers.js';
import { MESSAGE_EXAMPLE, MESSAGE_WITH_ATTEMPTS_EXAMPLE, SENT_MESSAGE_EXAMPLE } from './message.examples.js';
import { fromCursor, toCursor } from './sent-cursor.js';
import { CONTENT_MAX_CHARACTERS, contentFault, phoneFault, PHONE_EXAMPLE } from './message-rules.js';

/** How many messages one request may bring. */
export const BATCH_MAX = 1_000;
const LIST_MAX = 1_000;
/** How many attempts one reply has at most: a message has any number, each with up to 4 KiB of an answer. */
export const ATTEMPTS_MAX = 100;

const ruled = (fault: (text: string) => string | null) =>
  z.string().superRefine((text, context) => {
    const message = fault(text);
    if (message !== null) context.addIssue({ code: 'custom', message });
  });

export const newMessageSchema = z
  .strictObject({
    recipient_phone: ruled(phoneFault).meta({
      description: 'A phone number of 3 to 15 digits, international form recommended.',
      maxLength: 32,
      pattern: String.raw`^[ ().-]*\+?[ ().-]*(\d[ ().-]*){3,15}$`,
      example: PHONE_EXAMPLE,
    }),
    content: ruled(contentFault).meta({
      description: 'Up to 160 characters, counted as Unicode code points.',
      minLength: 1,
      maxLength: CONTENT_MAX_CHARACTERS,
      example: 'Your order is on its way',
    }),
  })
  .meta({ id: 'NewMessage' });

/** One message, or a list; the items of a list are checked one by one so that each gets its own result. */
export const postBodySchema = z.union([
  newMessageSchema,
  z
    .array(z.unknown())
    .min(1, 'must hold at least 1 message')
    .max(BATCH_MAX, `must hold at most ${BATCH_MAX} messages`)
    .meta({ description: 'A list of 1 to 1,000 of the same.', items: { $ref: '#/components/schemas/NewMessage' } }),
]);

/** What makes a request recognisable when it is sent again (draft-ietf-httpapi-idempotency-key-header). */
export const keySchema = z
  .string()
  .regex(/^[\x20-\x7e]+$/, 'must be 1 to 255 printable ASCII characters')
  .max(255, 'must be at most 255 characters');

const time = z.string().meta({ format: 'date-time', example: '2025-07-20T14:36:51.123Z' });

export const sentMessageSchema = z
  .strictObject({
    id: z.number().int().meta({ example: 1 }),
    recipient_phone: z.string().meta({ example: PHONE_EXAMPLE }),
    content: z.string().meta({ example: 'Your order is on its way' }),
    sent_status: z.boolean().meta({ example: true }),
    sent_at: time.nullable().meta({ description: 'UTC; null for a row that was marked by hand without a time.' }),
    message_id: z.string().nullable().meta({ description: "The provider's id.", example: '67f2f8a8-ea58-4ed0-a6f9' }),
  })
  .meta({ id: 'SentMessage', example: SENT_MESSAGE_EXAMPLE });
export type SentMessage = z.infer<typeof sentMessageSchema>;

export const attemptSchema = z
  .strictObject({
    number: z.number().int(),
    started_at: time,
    duration_ms: z.number().int().nullable(),
    outcome: z.enum(['accepted', 'refused', 'unavailable', 'channel', 'uncertain']),
    http_status: z.number().int().nullable(),
    error: z.string().nullable(),
    provider_id: z.string().nullable(),
    response_excerpt: z.string().nullable().meta({ description: 'The first 4 KiB at most, when it was not a 2xx.' }),
    job_id: z.number().int(),
  })
  .meta({ id: 'DeliveryAttempt' });
export type AttemptView = z.infer<typeof attemptSchema>;

const stateSchema = z.enum(['waiting', 'sending', 'sent', 'failed', 'uncertain', 'cancelled']);
export type MessageState = z.infer<typeof stateSchema>;

export const messageSchema = sentMessageSchema
  .extend({
    state: stateSchema,
    created_at: time.nullable(),
    charged_attempts: z.number().int().meta({ description: 'Attempts that count towards `max_attempts`.' }),
    uncharged_attempts: z.number().int().meta({
      description:
        'Attempts that do not count: their answer may be the fault of the way. The first 10 are in `attempts`.',
    }),
    doubt: z
      .string()
      .nullable()
      .meta({
        description:
          'The error of the first attempt of which nobody knows the outcome; null: there is none. A message with a doubt is ' +
          'never parked as failed. `POST /messages/:id/resolve` ends it.',
      }),
    next_attempt_at: time.nullable().meta({ description: 'After a failed attempt: not sent before.' }),
    parked_reason: z
      .string()
      .nullable()
      .meta({ description: 'Why it was taken out of the queue, or what keeps PostgreSQL from changing its row.' }),
    parked_at: time.nullable(),
  })
  .meta({ id: 'Message', example: MESSAGE_EXAMPLE });
export type MessageView = z.infer<typeof messageSchema>;

export const messageWithAttemptsSchema = messageSchema
  .extend({
    attempts: z.array(attemptSchema).meta({
      description:
        'The newest 100 HTTP attempts, oldest of them first. Of those that were not charged the first 10 are kept.',
    }),
    attempts_next: z.number().int().nullable().meta({
      description: 'There are older ones: `GET /messages/{id}/attempts?before=` this number. null: there are none.',
    }),
  })
  .meta({ id: 'MessageWithAttempts', example: MESSAGE_WITH_ATTEMPTS_EXAMPLE });

const itemResultSchema = z.strictObject({
  index: z.number().int(),
  status: z.enum(['accepted', 'invalid', 'not_stored']),
  id: z.number().int().optional(),
  errors: z
    .array(z.strictObject({ field: z.string(), error: z.string() }))
    .optional()
    .meta({
      description:
        'Of an invalid one. A reply lists 100 over all items; `errors_left_out` says how many more there are.',
    }),
});
export type ItemResult = z.infer<typeof itemResultSchema>;

export const batchResultSchema = z
  .strictObject({ results: z.array(itemResultSchema) })
  .meta({ id: 'BatchResult', example: { results: [{ index: 0, status: 'accepted', id: 1 }] } });

// No id is larger: they are JSON numbers, and 20,000 messages a second need 14,000 years for so many. Companies that insert
// by SQL may give ids at and below zero.
export const idSchema = numberText(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER).meta({
  description: 'The id of a message.',
  example: 1,
});

const limitSchema = limitUpTo(LIST_MAX);

/** Comes before everything, so that whoever tries the documentation's example gets the first page. */
const NEWEST = toCursor({ sentAt: 'infinity', id: Number.MAX_SAFE_INTEGER });

export const sentQuerySchema = z.strictObject({
  limit: limitSchema,
  cursor: z
    .string()
    .refine((text) => fromCursor(text) !== null, 'must be a cursor from the Link header of an earlier reply')
    .optional()
    .meta({ description: 'Where to go on: from the `Link` header of the page before.', example: NEWEST }),
});
export type SentQuery = z.infer<typeof sentQuerySchema>;

export const listQuerySchema = z.strictObject({
  state: stateSchema.optional().meta({ description: 'Only messages in this state.', example: 'waiting' }),
  limit: limitSchema,
  after: idSchema
    .optional()
    .meta({ description: 'Only messages with a greater id: from the `Link` header.', example: 0 }),
});
export type ListQuery = z.infer<typeof listQuerySchema>;

export const attemptsQuerySchema = z.strictObject({
  limit: limitUpTo(ATTEMPTS_MAX),
  before: beforeNumber('Only older ones: `attempts_next`, or from the `Link` header.'),
});
export type AttemptsQuery = z.infer<typeof attemptsQuerySchema>;
export const DEFAULT_LIMIT = LIST_MAX;
