import { z } from 'zod';
import { operatorText as note } from '../operator-note.js';
import { JOB_EXAMPLE, SCHEDULER_EXAMPLE } from './scheduler.examples.js';

/** An optional body: who starts or stops, and why. Both are shown by `GET /scheduler`. */
export const changeRequestSchema = z
  .strictObject({
    by: note('Who asks, or for whom a key asks; the call and the address when both are left out.', 'ali'),
    reason: note('Why, for whoever looks later.', 'the gateway is being moved'),
  })
  .optional()
  .meta({ id: 'ChangeRequest' });
export type ChangeRequest = z.infer<typeof changeRequestSchema>;

const time = z.string().meta({ format: 'date-time', example: '2025-07-20T14:36:51.123Z' });

const jobSchema = z
  .strictObject({
    id: z.number().int(),
    state: z.enum(['waiting', 'running', 'done', 'dropped']),
    due_at: time.meta({ description: 'The slot.', format: 'date-time' }),
    started_at: time.nullable(),
    finished_at: time.nullable(),
    tail_since: time.nullable().meta({
      description:
        'Since when it makes no more requests and only waits for answers, so that the next job began beside it; null when it never did.',
    }),
    owner: z
      .string()
      .nullable()
      .meta({ description: 'The replica that runs it, or ran it last; null while it waits to go on.' }),
    budget: z.number().int().nullable().meta({ description: 'Attempts that it may make: `rate_limit` when it began.' }),
    sent: z.number().int(),
    not_sent: z.number().int().meta({ description: 'Attempts that did not end in a 2xx.' }),
    note: z.string().nullable().meta({ description: 'Why it ended early, if it did.' }),
  })
  .meta({ id: 'Job', example: JOB_EXAMPLE });

export const overviewSchema = z
  .strictObject({
    state: z.enum(['running', 'stopped']),
    next_slot_at: time.nullable().meta({ description: 'null while stopped.' }),
    last_slot_at: time.nullable(),
    interval_seconds: z.number(),
    rate_limit: z.number().int(),
    queue_capacity: z.number().int(),
    workers: z.number().int(),
    waiting: z.number().int().meta({ description: 'Jobs that came due and have not begun.' }),
    overflow_total: z.number().int().meta({ description: 'Slots that found the queue full, ever.' }),
    changed_at: time.meta({ description: 'When sending was last started or stopped.', format: 'date-time' }),
    changed_by: z.string().nullable(),
    changed_why: z.string().nullable(),
    nothing_sent_because: z
      .string()
      .nullable()
      .meta({ description: 'Why messages wait and none is sent; null when some are, or none waits.' }),
    this_replica: z
      .strictObject({
        in_flight: z.number().int().meta({ description: 'Requests without an answer yet.' }),
        concurrency: z.number().int().meta({ description: 'How many may be in flight now: it grows with success.' }),
        concurrency_limit: z.number().int(),
        trouble: z.string().nullable().meta({
          description:
            'What ended its latest job early, or why none of its latest messages got through; null when nothing is wrong.',
        }),
        tries_again_at: time.nullable().meta({
          description:
            'When it takes a job again, which it leaves to other replicas until then because of that trouble; a change of `webhook_url`, `webhook_auth_key` or `webhook_signing_secrets` and `POST /start` end that. null when it leaves none.',
          format: 'date-time',
        }),
        turns_fail_since: time.nullable().meta({ description: 'It cannot read or write the schedule.' }),
        jobs_fail_since: time.nullable().meta({ description: 'Each of its jobs ends with an error, see the log.' }),
        slot_overdue_since: time.nullable().meta({ description: 'The time of a slot that it has not seen taken.' }),
        deaf_since: time
          .nullable()
          .meta({ description: 'It does not hear of other replicas, and looks at the schedule every 5 s instead.' }),
      })
      .nullable()
      .meta({ description: 'The replica that answers.' }),
    settings_notes: z.array(z.string()).meta({
      description:
        'Why the replica that answers sends nothing, which settings it cannot tell, and where its own differ from what the fleet works with.',
    }),
    running_jobs: z.array(jobSchema),
    recent_jobs: z.array(jobSchema).meta({ description: 'The newest 20 that ended, newest first.' }),
  })
  .meta({ id: 'Scheduler', example: SCHEDULER_EXAMPLE });
export type Overview = z.infer<typeof overviewSchema>;
