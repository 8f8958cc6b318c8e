import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { LiveConfig } from '../config/live-config.js';
import { type MissingLines, missingLines } from '../line-output.js';
import { RedisConnection } from '../redis.js';
import { Retention } from '../retention/retention.js';
import type { QueueCondition } from '../scheduler/interval-queue.js';
import type { HandlerStatus } from '../scheduler/job.js';
import { SchemaGate } from '../schema-gate.js';
import { DatabasePing, PING_TIMEOUT_MS } from './database-ping.js';

/** So long a replica may fail to do its part before it is not ready. */
const BORNE_MS = 60_000;

const RETENTION_TROUBLE =
  'Retention cannot delete or erase something; GET /retention (trouble) and the log say what it is';
const TROUBLE = 'There is trouble with sending; GET /scheduler (this_replica.trouble) and the log say what it is';

/** What the service depends on, each `up` or `down` with the reason; none of them throws. */
@Injectable()
export class HealthIndicators {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly database: DatabasePing,
    private readonly schema: SchemaGate,
    private readonly redis: RedisConnection,
    private readonly live: LiveConfig,
    private readonly retention: Retention,
  ) {}

  async postgres(): Promise<HealthIndicatorResult> {
    const indicator = this.health.check('postgres');
    if (await this.database.answers()) return indicator.up();
    return indicator.down(`PostgreSQL did not answer within ${PING_TIMEOUT_MS} ms; check APP_DB_URL and the server`);
  }

  schemaUpToDate(): HealthIndicatorResult {
    const indicator = this.health.check('schema');
    return this.schema.ready
      ? indicator.up()
      : indicator.down(this.schema.publicProblem ?? 'The schema was not checked yet');
  }

  /**
   * A receiver in trouble is told, and costs no readiness: other replicas would fare the same. What the receiver or PostgreSQL
   * said is for callers with a key: probes are public.
   */
  webhook(sending: HandlerStatus | null): HealthIndicatorResult {
    const indicator = this.health.check('webhook');
    const obstacle = this.live.sendingObstacle;
    if (obstacle !== null) return indicator.down(obstacle);
    return indicator.up({
      ...sending,
      ...(sending !== null && { trouble: sending.trouble === null ? null : TROUBLE }),
    });
  }

  /**
   * What keeps this replica from its part is told at once, and costs readiness when it lasts: a short outage of PostgreSQL is
   * no reason to take a replica out.
   */
  scheduler(condition: QueueCondition): HealthIndicatorResult {
    const indicator = this.health.check('scheduler');
    const told = Object.fromEntries(
      Object.entries({
        turns_fail_since: condition.turnsFailSince,
        jobs_fail_since: condition.jobsFailSince,
        slot_overdue_since: condition.slotOverdueSince,
        deaf_since: condition.deafSince,
      }).flatMap(([name, since]: [string, Date | null]) => (since === null ? [] : [[name, since.toISOString()]])),
    );
    if (lasts(condition.turnsFailSince)) {
      return indicator.down({ message: 'Turns of the scheduler fail; GET /scheduler and the log say why', ...told });
    }
    if (lasts(condition.jobsFailSince)) return indicator.down({ message: 'Each job fails; see the log', ...told });
    if (lasts(condition.slotOverdueSince)) return indicator.down({ message: 'A slot is overdue', ...told });
    return indicator.up(told);
  }

  // Sending goes on without Redis and etcd, so their loss is told, and costs no readiness.
  redisReceipts(): HealthIndicatorResult {
    const indicator = this.health.check('redis');
    if (this.redis.status === 'off') return indicator.up({ configured: false });
    return this.redis.status === 'up' ? indicator.up() : indicator.up({ stale: true });
  }

  /** What is not deleted or erased although it should be is told; it keeps nothing from being sent. */
  whatIsOld(): HealthIndicatorResult {
    const { trouble } = this.retention;
    return this.health.check('retention').up(trouble === null ? {} : { trouble: RETENTION_TROUBLE });
  }

  /** Lines of the log that are being given up because nobody takes them; the log itself cannot tell of it before it is over. */
  log(missing: MissingLines | null = missingLines()): HealthIndicatorResult {
    const indicator = this.health.check('log');
    if (missing === null) return indicator.up();
    return indicator.up({
      missing_lines: missing.lines,
      missing_warnings: missing.warnings,
      missing_since: missing.since.toISOString(),
    });
  }

  etcd(): HealthIndicatorResult {
    const indicator = this.health.check('etcd');
    const source = this.live.describe().sources.find(({ name }) => name === 'etcd');
    if (source === undefined) return indicator.up({ configured: false });
    return source.connected ? indicator.up() : indicator.up({ stale: true, since: source.since.toISOString() });
  }
}

function lasts(since: Date | null): boolean {
  return since !== null && Date.now() - since.getTime() > BORNE_MS;
}
