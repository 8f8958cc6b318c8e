import { Body, Controller, Get, Header, HttpCode, Post, Req } from '@nestjs/common';
import { ApiBody, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { ApiErrors } from '../api-errors.js';
import { actorOf, type ActingRequest } from '../caller.js';
import { LiveConfig } from '../config/live-config.js';
import { ApiDatabase } from '../database.js';
import { RequiredScope } from '../required-scope.js';
import { FleetControl } from './fleet-control.js';
import { IntervalQueue } from './interval-queue.js';
import { JobHistory } from './job-history.js';
import { whyNothingIsSent } from './why-nothing-is-sent.js';
import { ScheduleStore } from './schedule-store.js';
import { changeRequestSchema, overviewSchema, type ChangeRequest, type Overview } from './scheduler.schemas.js';

@ApiTags('scheduler')
@Controller()
export class SchedulerController {
  constructor(
    private readonly control: FleetControl,
    private readonly store: ScheduleStore,
    private readonly history: JobHistory,
    private readonly live: LiveConfig,
    private readonly queue: IntervalQueue,
    private readonly database: ApiDatabase,
  ) {}

  @Post('start')
  @HttpCode(200)
  @RequiredScope('operate')
  @Header('content-type', 'application/json; charset=utf-8')
  @ApiBody({ required: false })
  @ApiOperation({
    operationId: 'start',
    summary: 'Start sending, on every replica',
    description:
      'The next job runs one interval after the last slot, or at once when that has passed. Works while `auto_sending` is false. Repeating it changes nothing, but that a replica which stands back after trouble with the receiver tries again at once.',
  })
  @ApiOkResponse({ description: 'Sending runs.', standardSchema: z.literal('Started'), example: 'Started' })
  @ApiErrors(400, 503)
  async start(
    @Body({ schema: changeRequestSchema }) change: ChangeRequest,
    @Req() request: ActingRequest,
  ): Promise<string> {
    await this.control.start(noteOf('POST /start', change, request));
    return JSON.stringify('Started');
  }

  @Post('stop')
  @HttpCode(200)
  @RequiredScope('operate')
  @Header('content-type', 'application/json; charset=utf-8')
  @ApiBody({ required: false })
  @ApiOperation({
    operationId: 'stop',
    summary: 'Stop sending, on every replica',
    description:
      'Waiting jobs are discarded, messages never. When the reply comes no request is in flight and none begins; that takes the webhook timeout and a second at most. A 503 `scheduler.stop_unconfirmed` says that sending is stopped and that a replica went silent, whose last requests may be under way until a time that it names: ask again then. It survives restarts until the next start or the next change of `auto_sending`.',
  })
  @ApiOkResponse({ description: 'Sending is stopped.', standardSchema: z.literal('Stopped'), example: 'Stopped' })
  @ApiErrors(
    400,
    503,
    {
      status: 409,
      error:
        'Sending was stopped, and started again before the last requests had ended: it runs. Stop it again if it should not',
      code: 'scheduler.started_again',
    },
    {
      status: 503,
      error:
        'Sending is stopped and nothing new begins, but the owner of job 42 has not confirmed that its requests have ended; ask again in a few seconds',
      code: 'scheduler.stop_unconfirmed',
    },
  )
  async stop(
    @Body({ schema: changeRequestSchema }) change: ChangeRequest,
    @Req() request: ActingRequest & { raw: IncomingMessage },
  ): Promise<string> {
    // The answer may take longer than the server's own limit for one.
    request.raw.setTimeout(0);
    await this.control.stop(noteOf('POST /stop', change, request));
    return JSON.stringify('Stopped');
  }

  @Get('scheduler')
  @RequiredScope('read')
  @ApiOperation({ operationId: 'getScheduler', summary: 'The schedule, its queue, and the newest jobs' })
  @ApiOkResponse({ description: 'The state of the fleet, as the database holds it.', standardSchema: overviewSchema })
  @ApiErrors(503)
  async overview(): Promise<Overview> {
    const [seen, running, recent, lastSuccessAt] = await Promise.all([
      this.store.observe(this.database),
      this.history.running(),
      this.history.recent(),
      this.history.lastSuccessAt(this.queue.lastSuccess),
    ]);
    const { schedule } = seen;
    const { current } = this.live;
    const { handlerStatus: handler, condition } = this.queue;
    return {
      state: schedule.running ? 'running' : 'stopped',
      next_slot_at: schedule.running ? utc(schedule.nextSlotAt) : null,
      last_slot_at: schedule.lastSlotAt === null ? null : utc(schedule.lastSlotAt),
      interval_seconds: schedule.intervalMs / 1000,
      rate_limit: current.rateLimit,
      queue_capacity: this.live.queueLimits.capacity,
      workers: this.live.queueLimits.workers,
      waiting: schedule.waiting,
      overflow_total: schedule.overflowTotal,
      changed_at: seen.changedAt.toISOString(),
      changed_by: seen.changedBy,
      changed_why: seen.changedWhy,
      nothing_sent_because: whyNothingIsSent(
        seen,
        {
          cannotWork: this.queue.cannotWork,
          trouble: handler?.trouble ?? null,
          triesAgainAt: this.queue.triesAgainAt,
          condition,
          unknown: this.live.notes.find((note) => note.startsWith('auto_sending is unknown: ')) ?? null,
        },
        { now: seen.now, lastSuccessAt, running, recent },
      ),
      this_replica: handler && {
        in_flight: handler.inFlight,
        concurrency: handler.concurrency,
        concurrency_limit: handler.concurrencyLimit,
        trouble: handler.trouble,
        tries_again_at: iso(this.queue.triesAgainAt),
        turns_fail_since: iso(condition.turnsFailSince),
        jobs_fail_since: iso(condition.jobsFailSince),
        slot_overdue_since: iso(condition.slotOverdueSince),
        deaf_since: iso(condition.deafSince),
      },
      settings_notes: [...this.live.notes],
      running_jobs: running,
      recent_jobs: recent,
    };
  }
}

function noteOf(call: string, change: ChangeRequest, request: ActingRequest) {
  return actorOf(request, change, `${call} from ${request.ip}`);
}

function iso(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}

function utc(time: number): string {
  return new Date(time).toISOString();
}
