import { z } from 'zod';
import { beforeNumber, limitUpTo } from '../query-numbers.js';

export const DEFAULT_LIMIT = 100;

export const actionsQuerySchema = z.strictObject({
  limit: limitUpTo(1_000, DEFAULT_LIMIT),
  before: beforeNumber('Only those with a smaller id; the `Link` of a page says which.'),
});
export type ActionsQuery = z.infer<typeof actionsQuerySchema>;

export const operatorActionSchema = z
  .strictObject({
    id: z.number().int().meta({ example: 57 }),
    at: z.string().meta({ format: 'date-time', example: '2025-07-20T14:36:51.123Z' }),
    actor: z.string().meta({
      description: 'The name of the key; where none is needed, what `by` said, or the address.',
      example: 'ops',
    }),
    on_behalf_of: z.string().nullable().meta({ description: 'What `by` said beside a key.', example: 'ali' }),
    action: z.string().meta({
      description:
        '`start`, `stop`, `retry`, `cancel`, `resolve-delivered`, `resolve-undelivered`, `replay`, `config-set`, `config-unset`; more may come.',
      example: 'replay',
    }),
    reason: z.string().nullable().meta({ example: 'the gateway was down' }),
    message_id: z.number().int().nullable().meta({ example: null }),
    detail: z
      .record(z.string(), z.unknown())
      .nullable()
      .meta({
        description: 'What else belongs to the action: a filter and a count, a setting as it was written.',
        example: { state: 'failed', count: 120 },
      }),
  })
  .meta({ id: 'OperatorAction' });
