import { LiveConfig } from '../../src/config/live-config.js';
import { MemoryConfigSource } from '../../src/config/memory-config.source.js';
import { WebhookTargets } from '../../src/config/webhook-targets.js';
import { Database } from '../../src/database.js';
import { ClaimEndings } from '../../src/dispatch/claim-endings.js';
import { ClockFollower } from '../../src/dispatch/clock-follower.js';
import { DeliveryReceipts } from '../../src/dispatch/delivery-receipts.js';
import { Dispatcher } from '../../src/dispatch/dispatcher.js';
import { EgressGuard } from '../../src/dispatch/egress-guard.js';
import { OutcomeRetry } from '../../src/dispatch/outcome-retry.js';
import { WebhookClient } from '../../src/dispatch/webhook.client.js';
import { MessageClaims } from '../../src/messages/message-claims.js';
import { MessageSettlements } from '../../src/messages/message-settlements.js';
import { RefusedClaims } from '../../src/messages/refused-claims.js';
import { SetBackPauses } from '../../src/messages/set-back-pauses.js';
import { UnwrittenOutcomes } from '../../src/messages/unwritten-outcomes.js';
import { RedisConnection } from '../../src/redis.js';
import { SchemaGate } from '../../src/schema-gate.js';
import { IntervalQueue } from '../../src/scheduler/interval-queue.js';
import type { JobReport } from '../../src/scheduler/job.js';
import { openJob } from './open-job.js';
import type { MigratedDatabase } from './migrated-database.js';

/** A dispatcher without a scheduler: a test runs slot after slot by hand, and says how much time passes between them. */
export class SlotRunner {
  readonly source: MemoryConfigSource;
  readonly dispatcher: Dispatcher;
  readonly retry: OutcomeRetry;
  private readonly client: WebhookClient;
  private readonly live: LiveConfig;

  constructor(
    private readonly migrated: MigratedDatabase,
    settings: Readonly<Record<string, string>>,
  ) {
    this.source = new MemoryConfigSource({ scheduler_interval: '60', ...settings });
    this.live = new LiveConfig([this.source]);
    const targets = new WebhookTargets({ env: 'local', webhookAllow: { ranges: [], hosts: [] } });
    this.client = new WebhookClient(new EgressGuard(targets, null), this.live);
    const service = new Database(migrated.dataSource);
    const settlements = new MessageSettlements(service);
    const refused = new RefusedClaims(service);
    const claims = new MessageClaims(service);
    const receipts = new DeliveryReceipts(new RedisConnection());
    const schema = new SchemaGate(migrated.dataSource);
    const retry = new OutcomeRetry(new UnwrittenOutcomes(service), settlements, refused, schema);
    this.retry = retry;
    this.dispatcher = new Dispatcher(
      // It begins nothing here.
      Object.create(IntervalQueue.prototype) as IntervalQueue,
      this.live,
      claims,
      settlements,
      this.client,
      receipts,
      retry,
      refused,
      new ClaimEndings(claims, refused, retry, receipts, this.live),
      new ClockFollower(new SetBackPauses(service), this.live, retry),
    );
  }

  async begin(): Promise<void> {
    await this.migrated.database.query(`UPDATE scheduler_state SET running = TRUE`);
    await this.live.start();
  }

  /** Runs one job to its end. */
  async slot(budget: number): Promise<JobReport> {
    const { database } = this.migrated;
    const job = await openJob(database, budget);
    const report = await this.dispatcher.run(job);
    await database.query(`UPDATE dispatch_jobs SET state = 'done' WHERE id = $1`, [job.id]);
    return report;
  }

  /** What the replica says it suffers from. */
  trouble(): string | null {
    return this.dispatcher.status().trouble;
  }

  /** Has the pauses of messages be over so much earlier. */
  async pass(seconds: number): Promise<void> {
    await this.migrated.database.query(
      `UPDATE messages SET next_attempt_at = next_attempt_at - $1 * interval '1 s' WHERE next_attempt_at IS NOT NULL`,
      [seconds],
    );
  }

  async end(): Promise<void> {
    await this.live.stop();
    await this.client.onApplicationShutdown();
  }
}
