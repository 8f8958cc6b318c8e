import { EventEmitter, once } from 'node:events';
import { Logger } from '@nestjs/common';
import { LiveConfig } from '../src/config/live-config.js';
import { WebhookTargets } from '../src/config/webhook-targets.js';
import { Database } from '../src/database.js';
import { BatchSize } from '../src/batch-size.js';
import { ChannelWatch } from '../src/dispatch/channel-watch.js';
import { Elsewhere } from '../src/dispatch/elsewhere.js';
import { LockedStretches } from '../src/dispatch/claim-cursor.js';
import { ClaimFaults } from '../src/dispatch/claim-faults.js';
import { ConcurrencyWindow } from '../src/dispatch/concurrency-window.js';
import { DeliveryReceipts } from '../src/dispatch/delivery-receipts.js';
import { EgressGuard } from '../src/dispatch/egress-guard.js';
import { InvalidParker } from '../src/dispatch/invalid-parker.js';
import { JobReceipts } from '../src/dispatch/job-receipts.js';
import { JobRun } from '../src/dispatch/job-run.js';
import { LockPatience } from '../src/dispatch/lock-patience.js';
import { RefusedStretches } from '../src/dispatch/refused-stretches.js';
import { BATCH_MAX, Settler } from '../src/dispatch/settler.js';
import { WebhookClient } from '../src/dispatch/webhook.client.js';
import { MessageClaims } from '../src/messages/message-claims.js';
import { MessageSettlements } from '../src/messages/message-settlements.js';
import { RefusedClaims } from '../src/messages/refused-claims.js';
import { RedisConnection } from '../src/redis.js';
import { openJob } from './support/open-job.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import { outcomeRetryOn } from './support/outcome-retry-on.js';

Logger.overrideLogger(false);

const INVALID_PHONE = 'nobody';
const nowhere = new WebhookTargets({ env: 'production', webhookAllow: { ranges: [], hosts: [] } });

describe('the run of a job', () => {
  let migrated: MigratedDatabase;

  beforeEach(async () => {
    migrated = await createMigratedDatabase();
    await migrated.database.query(`UPDATE scheduler_state SET running = TRUE`);
  });
  afterEach(() => migrated.drop());

  const createJob = (budget: number) => openJob(migrated.database, budget);

  it('spends what invalid messages give back, also when a claim that did not see it is answered after it', async () => {
    const { database, dataSource } = migrated;
    await database.query(
      `INSERT INTO messages (recipient_phone, content) SELECT $1, 'text' FROM generate_series(1, 3)`,
      [INVALID_PHONE],
    );
    const service = new Database(dataSource);
    const steps = new EventEmitter();
    const budgetSeenSpent = once(steps, 'budget seen spent');
    const refunded = once(steps, 'refunded');
    const claims = new (class extends MessageClaims {
      override async claim(...given: Parameters<MessageClaims['claim']>) {
        const claimed = await super.claim(...given);
        if (claimed.spent) {
          steps.emit('budget seen spent');
          await refunded;
        }
        return claimed;
      }
    })(service);
    const settlements = new (class extends MessageSettlements {
      override async settle(...given: Parameters<MessageSettlements['settle']>) {
        await budgetSeenSpent;
        return await super.settle(...given);
      }
    })(service);

    const job = await createJob(2);
    const installationId = await claims.open(job);
    const live = new LiveConfig([]);
    live.setSandbox({ url: 'http://127.0.0.1:9/webhook', byDefault: true });
    const logger = new Logger();
    const receipts = new JobReceipts(new DeliveryReceipts(new RedisConnection()), installationId, job.id);
    const retry = outcomeRetryOn(dataSource, service, settlements);
    const refused = new RefusedClaims(service);
    const stretches = new LockedStretches();
    const run = new JobRun(job, {
      claims,
      stretches,
      claimFaults: new ClaimFaults(
        {
          refused,
          stretches: new RefusedStretches(refused, stretches, () => undefined),
          claims,
          retry,
          size: new BatchSize(500),
          patience: new LockPatience(),
          told: { text: null },
          logger,
        },
        job,
      ),
      parker: new InvalidParker(claims, logger),
      client: new WebhookClient(new EgressGuard(nowhere, null), live),
      live,
      window: new ConcurrencyWindow(() => 1),
      watch: new ChannelWatch(),
      elsewhere: new Elsewhere(),
      waitNote: null,
      logger,
      installationId,
      onRoom: () => undefined,
      makeSettler: (onWritten) =>
        new Settler(
          { settlements, retry, receipts, size: new BatchSize(BATCH_MAX), patience: new LockPatience(), job, logger },
          (batch) => {
            onWritten(batch);
            steps.emit('refunded');
          },
        ),
    });
    await run.toEnd();
    expect(await database.value(`SELECT count(*) FROM messages WHERE parked_as = 'failed'`)).toBe(3);
    expect(await database.value(`SELECT claimed FROM dispatch_jobs WHERE id = $1`, [job.id])).toBe(0);
  });
});
