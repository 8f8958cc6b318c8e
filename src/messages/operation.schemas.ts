import { z } from 'zod';
import { operatorText } from '../operator-note.js';
import { REFUSED_IDS_MAX } from './replay-limits.js';

/** Who acts, and why; both are kept, in `GET /operator-actions`. */
const note = {
  by: operatorText('Who acts, or for whom a key acts; the address when both are left out.', 'ali'),
  reason: operatorText('Why, for whoever looks later.', 'the provider confirmed it by phone'),
};

export const actSchema = z.strictObject(note).optional().meta({ id: 'Act' });
export type Act = z.infer<typeof actSchema>;

export const resolveSchema = z
  .strictObject({
    delivered: z
      .boolean()
      .meta({ description: 'true: it was delivered, so it is sent. false: it was not, so it is sent again.' }),
    ...note,
  })
  .meta({ id: 'Resolution', example: { delivered: false, by: 'ali', reason: 'the provider has no trace of it' } });
export type Resolution = z.infer<typeof resolveSchema>;

const TIME_TEXT = 'must be a time such as 2025-07-20T14:36:51Z, in the years 1 to 9999';

/** RFC 3339 with any offset, as the same time in UTC: PostgreSQL knows neither a year 0 nor each offset that JavaScript knows. */
const instant = z.iso
  .datetime({ offset: true, error: TIME_TEXT })
  .transform((text, context) => {
    const [, second, fraction = '', offset] = /^(.{19})(\.\d+)?(.+)$/.exec(text) ?? [];
    const time = new Date(`${second}${offset}`);
    const year = time.getUTCFullYear();
    if (year >= 1 && year <= 9999) return `${time.toISOString().slice(0, 19)}${fraction.slice(0, 7)}Z`;
    context.addIssue({ code: 'custom', message: TIME_TEXT });
    return z.NEVER;
  })
  .optional();

export const replaySchema = z
  .strictObject({
    state: z.enum(['failed', 'uncertain', 'cancelled']).meta({ description: 'Which parked messages.' }),
    parked_from: instant.meta({
      description: 'Parked at this time or later.',
      format: 'date-time',
      example: '2025-07-20T00:00:00Z',
    }),
    parked_before: instant.meta({
      description: 'Parked before this time.',
      format: 'date-time',
      example: '2025-07-21T00:00:00Z',
    }),
    reason_contains: operatorText('Only those whose reason contains this text.', 'HTTP 422'),
    after: z
      .number()
      .int()
      .optional()
      .meta({ description: 'Only those with a greater id: `next_after` of the call before.', example: 5000 }),
    dry_run: z.boolean().default(false).meta({ description: 'Only count.' }),
    ...note,
  })
  .meta({ id: 'Replay', example: { state: 'failed', dry_run: true } });
export type Replay = z.infer<typeof replaySchema>;

export const replayResultSchema = z
  .strictObject({
    count: z
      .number()
      .int()
      .meta({ description: 'How many messages match, and with `dry_run: false` wait to be sent again.' }),
    dry_run: z.boolean(),
    complete: z.boolean().meta({ description: 'false: there may be more than this call had time for; repeat it.' }),
    refused: z.number().int().meta({
      description:
        'How many more match and stay parked, because the database refuses to change them (a trigger, a constraint).',
    }),
    refused_ids: z.array(z.number().int()).meta({ description: `The first ${REFUSED_IDS_MAX} of those.` }),
    locked: z.number().int().meta({
      description:
        'How many more match and stay parked, because another transaction holds them: repeat the call for them.',
    }),
    next_after: z.number().int().nullable().meta({
      description:
        'Unless complete: goes on behind what this call looked at when given as `after`; null: nothing was looked at.',
    }),
  })
  .meta({
    id: 'ReplayResult',
    example: { count: 12, dry_run: true, complete: true, refused: 0, refused_ids: [], locked: 0, next_after: null },
  });
export type ReplayResult = z.infer<typeof replayResultSchema>;
