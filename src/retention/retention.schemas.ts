import { z } from 'zod';

const time = z.string().meta({ format: 'date-time', example: '2026-01-20T14:36:51.123Z' });
const days = z.number().int().meta({ example: 0 });

const RETENTION_EXAMPLE = {
  limits: {
    erase_after_days: 30,
    retain_sent_days: 365,
    retain_parked_days: 0,
    retain_attempts_days: 0,
    retain_actions_days: 0,
  },
  notes: [],
  trouble: null,
  working: null,
  swept_at: '2026-01-20T14:36:51.123Z',
  walks: [
    {
      name: 'delete-sent',
      days: 365,
      rows: 120_000,
      refused: 0,
      reason: null,
      ended_at: '2026-01-20T14:36:51.123Z',
    },
  ],
};

export const retentionSchema = z
  .strictObject({
    limits: z
      .strictObject({
        erase_after_days: days,
        retain_sent_days: days,
        retain_parked_days: days,
        retain_attempts_days: days,
        retain_actions_days: days,
      })
      .meta({ description: 'By which the replica that answers works; 0: never.' }),
    notes: z.array(z.string()).meta({ description: 'Why it does not work by a limit that is set or unknown.' }),
    trouble: z.string().nullable().meta({
      description: 'What kept the replica that answers from something when it last went through the tables.',
    }),
    working: z.string().nullable().meta({ description: 'The replica that goes through the tables now.' }),
    swept_at: time.nullable().meta({ description: 'When one last went through all of them.' }),
    walks: z
      .array(
        z.strictObject({
          name: z.string().meta({ description: 'What is done to which rows.', example: 'delete-sent' }),
          days: z.number().int().meta({ description: 'With which limit it last went.' }),
          rows: z.number().int().meta({ description: 'Rows that were deleted or erased, ever.' }),
          refused: z.number().int().meta({
            description:
              'Rows that PostgreSQL keeps, since it last began with the oldest; they are tried again after a day.',
          }),
          reason: z.string().nullable().meta({ description: 'Why one of those is kept.' }),
          ended_at: time.nullable().meta({ description: 'When it last came to what is too young to go.' }),
        }),
      )
      .meta({ description: 'By name; those that had something to look at.' }),
  })
  .meta({ id: 'Retention', example: RETENTION_EXAMPLE });
export type RetentionView = z.infer<typeof retentionSchema>;
