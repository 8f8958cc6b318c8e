import { Controller, Get, Header, UseFilters } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import { HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import type { z } from 'zod';
import { Public } from '../required-scope.js';
import { IntervalQueue } from '../scheduler/interval-queue.js';
import { HealthIndicators } from './health.indicators.js';
import {
  aliveSchema,
  LIVE_EXAMPLE,
  NOT_LIVE_EXAMPLE,
  NOT_READY_EXAMPLE,
  READY_EXAMPLE,
  reportSchema,
} from './health.replies.js';
import { HealthReportFilter } from './health-report.filter.js';
import { Lifecycle } from './lifecycle.js';

@ApiTags('health')
@Controller('health')
@UseFilters(HealthReportFilter)
export class HealthController {
  constructor(
    private readonly checks: HealthCheckService,
    private readonly health: HealthIndicatorService,
    private readonly indicators: HealthIndicators,
    private readonly queue: IntervalQueue,
    private readonly lifecycle: Lifecycle,
  ) {}

  @Get()
  @Public()
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getHealth',
    summary: 'The process answers',
    description: 'Says nothing of what it depends on, and asks nobody.',
  })
  @ApiOkResponse({
    description: 'Always, while the process answers.',
    standardSchema: aliveSchema,
    example: { status: 'healthy' },
  })
  alive(): z.infer<typeof aliveSchema> {
    return { status: 'healthy' };
  }

  @Get('live')
  @Public()
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getLiveness',
    summary: 'The scheduler loop turns',
    description:
      'Touches no network. 503 when the loop has ended, or has hung in one turn for 30 s: restart what answers so.',
  })
  @ApiOkResponse({ description: 'The loop turns.', standardSchema: reportSchema, example: LIVE_EXAMPLE })
  @ApiServiceUnavailableResponse({
    description: 'It does not.',
    standardSchema: reportSchema,
    example: NOT_LIVE_EXAMPLE,
  })
  live(): Promise<unknown> {
    const loop = this.health.check('loop');
    return this.checks.check([
      () => {
        const { hangs } = this.queue;
        return hangs === null ? loop.up() : loop.down(hangs);
      },
    ]);
  }

  @Get('ready')
  @Public()
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'getReadiness',
    summary: 'The service can send',
    description:
      'PostgreSQL answers within a second, the schema is up to date, `webhook_url` is set, the scheduler has been able to ' +
      'do its part within the last minute, and the process is not shutting down. Redis and etcd may be lost: they are then `up` with `stale: true`, since sending goes on. That retention cannot delete or erase something, and that lines of the log are lost, is told there, too, and costs no readiness.',
  })
  @ApiOkResponse({ description: 'It can.', standardSchema: reportSchema, example: READY_EXAMPLE })
  @ApiServiceUnavailableResponse({
    description: 'It cannot; `error` says why.',
    standardSchema: reportSchema,
    example: NOT_READY_EXAMPLE,
  })
  ready(): Promise<unknown> {
    const running = this.health.check('process');
    return this.checks.check([
      () => (this.lifecycle.shuttingDown ? running.down('The process is shutting down') : running.up()),
      () => this.indicators.postgres(),
      () => this.indicators.schemaUpToDate(),
      () => this.indicators.webhook(this.queue.handlerStatus),
      () => this.indicators.scheduler(this.queue.condition),
      () => this.indicators.redisReceipts(),
      () => this.indicators.etcd(),
      () => this.indicators.whatIsOld(),
      () => this.indicators.log(),
    ]);
  }
}
