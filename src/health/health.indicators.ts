import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { LiveConfig } from '../config/live-config.js';
import { RedisConnection } from '../redis.js';
import type { HandlerStatus } from '../scheduler/job.js';
import { SchemaGate } from '../schema-gate.js';
import { DatabasePing, PING_TIMEOUT_MS } from './database-ping.js';

/** What the service depends on, each `up` or `down` with the reason; none of them throws. */
@Injectable()
export class HealthIndicators {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly database: DatabasePing,
    private readonly schema: SchemaGate,
    private readonly redis: RedisConnection,
    private readonly live: LiveConfig,
  ) {}

  async postgres(): Promise<HealthIndicatorResult> {
    const indicator = this.health.check('postgres');
    if (await this.database.answers()) return indicator.up();
    return indicator.down(`PostgreSQL did not answer within ${PING_TIMEOUT_MS} ms; check APP_DB_URL and the server`);
  }

  schemaUpToDate(): HealthIndicatorResult {
    const indicator = this.health.check('schema');
    return this.schema.ready ? indicator.up() : indicator.down(this.schema.problem ?? 'The schema was not checked yet');
  }

  /** A receiver in trouble is told, and costs no readiness: other replicas would fare the same. */
  webhook(sending: HandlerStatus | null): HealthIndicatorResult {
    const indicator = this.health.check('webhook');
    const obstacle = this.live.sendingObstacle;
    return obstacle === null ? indicator.up({ ...sending }) : indicator.down(obstacle);
  }

  // Sending goes on without Redis and etcd, so their loss is told, and costs no readiness.
  redisReceipts(): HealthIndicatorResult {
    const indicator = this.health.check('redis');
    if (this.redis.status === 'off') return indicator.up({ configured: false });
    return this.redis.status === 'up' ? indicator.up() : indicator.up({ stale: true });
  }

  etcd(): HealthIndicatorResult {
    const indicator = this.health.check('etcd');
    const source = this.live.describe().sources.find(({ name }) => name === 'etcd');
    if (source === undefined) return indicator.up({ configured: false });
    return source.connected ? indicator.up() : indicator.up({ stale: true, since: source.since.toISOString() });
  }
}
