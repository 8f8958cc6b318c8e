import { Logger } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { LiveConfig } from '../src/config/live-config.js';
import { createDataSource, type ServiceDataSource } from '../src/data-source.js';
import { Database } from '../src/database.js';
import { BatchSize } from '../src/batch-size.js';
import { ClaimEndings } from '../src/dispatch/claim-endings.js';
import { DeliveryReceipts } from '../src/dispatch/delivery-receipts.js';
import { JobReceipts } from '../src/dispatch/job-receipts.js';
import { LockPatience } from '../src/dispatch/lock-patience.js';
import type { OutcomeRetry } from '../src/dispatch/outcome-retry.js';
import { BATCH_MAX, Settler } from '../src/dispatch/settler.js';
import { settleInvalid, settleOutcome } from '../src/dispatch/settle-outcome.js';
import { FROM_THE_START } from '../src/messages/claim-look.js';
import { MessageClaims, type ClaimedMessage, type ClaimKey } from '../src/messages/message-claims.js';
import { MessageSettlements } from '../src/messages/message-settlements.js';
import { RefusedClaims } from '../src/messages/refused-claims.js';
import { RedisConnection } from '../src/redis.js';
import { eventually } from './support/eventually.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import { openJob } from './support/open-job.js';
import { outcomeRetryOn } from './support/outcome-retry-on.js';
import type { TestDatabase } from './support/test-database.js';

Logger.overrideLogger(false);
jest.setTimeout(60_000);

const RULES = { maxAttempts: 3, retrySchedule: [30], onUncertain: 'resend' } as never;

const accepted = (message: ClaimedMessage) =>
  settleOutcome(
    message,
    {
      delivery: { outcome: 'accepted', status: 202, messageId: `sms-${message.id}` },
      durationMs: 1,
      knownAt: performance.now(),
      responseExcerpt: null,
      messageHash: '',
    },
    RULES,
    { suspected: false, acceptedAgoMs: Infinity, acceptedElsewhere: false },
    0,
  );

describe('outcomes that PostgreSQL does not write to messages', () => {
  let migrated: MigratedDatabase;
  let database: TestDatabase;
  let limited: ServiceDataSource;
  let service: Database;
  let claims: MessageClaims;
  let settlements: MessageSettlements;
  let retry: OutcomeRetry;
  let errors: unknown[][];
  let warnings: unknown[][];
  let winding: AbortController;
  let patience: LockPatience;
  const abandoned = new AbortController();

  beforeEach(async () => {
    migrated = await createMigratedDatabase();
    ({ database } = migrated);
    await database.query(`UPDATE scheduler_state SET running = TRUE`);
    limited = createDataSource(database.url);
    limited.dispatchPool.on('connect', (client) => void client.query(`SET statement_timeout = 400`));
    await limited.initialize();
    winding = new AbortController();
    patience = new LockPatience();
    use(migrated.dataSource);
  });
  afterEach(async () => {
    await limited.destroy();
    await migrated.drop();
  });

  const use = (dataSource: DataSource) => {
    service = new Database(dataSource);
    claims = new MessageClaims(service);
    settlements = new MessageSettlements(service);
    retry = outcomeRetryOn(dataSource, service, settlements);
    errors = [];
    warnings = [];
  };

  const beginJob = async (budget: number): Promise<ClaimKey> => {
    const { id, fence } = await openJob(database, budget);
    const job = { id, fence };
    await claims.open(job);
    return job;
  };
  const settlerOf = (job: ClaimKey, size = new BatchSize(BATCH_MAX)) => {
    const logger = new Logger();
    logger.error = (...given: unknown[]) => void errors.push(given);
    logger.warn = (...given: unknown[]) => void warnings.push(given);
    const receipts = new JobReceipts(new DeliveryReceipts(new RedisConnection()), 'none', job.id);
    return new Settler(
      {
        settlements,
        retry,
        receipts,
        size,
        patience,
        job: { ...job, winding: winding.signal, abandoned: abandoned.signal },
        logger,
      },
      () => undefined,
    );
  };
  const settle = async (job: ClaimKey, messages: readonly ClaimedMessage[], size?: BatchSize) => {
    const settler = settlerOf(job, size);
    for (const message of messages) settler.add(accepted(message));
    await settler.drain();
    return settler;
  };
  const sent = async () => await database.value<number>(`SELECT count(*) FROM messages WHERE sent_status`);
  const kept = async () =>
    await database.query<{ message_id: number; sqlstate: string; reason: string }>(
      `SELECT message_id, sqlstate, reason FROM unwritten_outcomes ORDER BY message_id`,
    );
  const makeDue = async () => await database.query(`UPDATE unwritten_outcomes SET retry_at = now()`);
  const guard = async (condition: string, act: string) => {
    await database.query(`
      CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF ${condition} THEN ${act}; END IF; RETURN new; END $$`);
    await database.query(`CREATE TRIGGER guard BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION guard()`);
  };
  const raise = `RAISE EXCEPTION 'no mark for % (text: %)', new.recipient_phone, new.content`;

  const endings = () =>
    new ClaimEndings(
      claims,
      new RefusedClaims(service),
      retry,
      new DeliveryReceipts(new RedisConnection()),
      new LiveConfig([]),
    );
  const running = (job: ClaimKey) => ({
    ...job,
    correlationId: 'test',
    winding: winding.signal,
    abandoned: abandoned.signal,
  });
  const claimed = async () => await database.value(`SELECT count(*) FROM messages WHERE claimed_by IS NOT NULL`);

  it('are kept, one refused among forty, and the others are marked; the job can be taken over, and the row follows when it may', async () => {
    await database.insertMessages(40);
    const job = await beginJob(40);
    const { messages } = await claims.claim(job, 40);
    const odd = messages[6]?.id;
    await guard(`new.sent_status AND new.id = ${odd}`, raise);
    await settle(job, messages);
    expect(await sent()).toBe(39);
    expect(await kept()).toEqual([{ message_id: odd, sqlstate: 'P0001', reason: 'SQLSTATE P0001, function guard' }]);
    expect(await database.value(`SELECT count(*) FROM delivery_attempts`)).toBe(39);

    // Neither this owner nor the next one takes it for free or for uncertain, and no other job claims it.
    expect(await claims.release(job)).toBe(0);
    await database.query(`UPDATE dispatch_jobs SET fence = 2 WHERE id = $1`, [job.id]);
    expect(await claims.takeOver({ id: job.id, fence: 2 })).toEqual({ taken: [], left: 0 });
    expect((await claims.claim(await beginJob(40), 40)).messages).toEqual([]);

    await makeDue();
    expect(await retry.turn()).toBeGreaterThan(1_000);
    expect(retry.trouble).toMatch(/1 outcomes cannot be written to messages: SQLSTATE P0001, function guard/);
    await database.query(`DROP TRIGGER guard ON messages`);
    await makeDue();
    expect(await retry.turn()).toBeNull();
    expect(retry.trouble).toBeNull();
    expect(await sent()).toBe(40);
    expect(await database.value(`SELECT message_id FROM messages WHERE id = ${odd}`)).toBe(`sms-${odd}`);
    expect(await database.value(`SELECT count(*) FROM delivery_attempts WHERE message_id = ${odd}`)).toBe(1);
    expect(await kept()).toEqual([]);
  });

  it('are kept by the thousand, and the good ones among them are marked', async () => {
    await database.insertMessages(2_500);
    const job = await beginJob(2_500);
    const { messages } = await claims.claim(job, 2_500, { ...FROM_THE_START, far: true });
    await guard(`new.sent_status AND new.id % 5 <> 0`, raise);
    await settle(job, messages);
    expect(await sent()).toBe(500);
    expect(await kept()).toHaveLength(2_000);
  });

  it('are kept when a trigger or a policy silently keeps the row as it was; what was deleted is not', async () => {
    const [first, silent, deleted, taken] = await database.insertMessages(4);
    const job = await beginJob(4);
    const { messages } = await claims.claim(job, 4);
    await guard(`new.sent_status AND new.id = ${silent}`, 'RETURN NULL');
    await database.query(`DELETE FROM messages WHERE id = ${deleted}`);
    await database.query(`UPDATE messages SET claim_fence = 2 WHERE id = ${taken}`);
    await settle(job, messages);
    expect(await database.query(`SELECT id FROM messages WHERE sent_status`)).toEqual([{ id: first }]);
    expect(await kept()).toMatchObject([
      { message_id: silent, sqlstate: null, reason: expect.stringContaining('kept') as string },
    ]);
  });

  it('are written around a row that somebody keeps locked, and that one when it is free', async () => {
    await database.insertMessages(300);
    const job = await beginJob(300);
    const { messages } = await claims.claim(job, 300);
    const locked = messages[250]?.id;
    const other = await database.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM messages WHERE id = $1 FOR UPDATE', [locked]);
      const startedAt = performance.now();
      await settle(job, messages);
      expect(performance.now() - startedAt).toBeLessThan(5_000);
      expect(await sent()).toBe(299);
      expect(await kept()).toMatchObject([{ message_id: locked, sqlstate: '55P03' }]);
      await makeDue();
      await retry.turn();
      expect(await sent()).toBe(299);
    } finally {
      await other.end();
    }
    await makeDue();
    await retry.turn();
    expect(await sent()).toBe(300);
    expect(await kept()).toEqual([]);
  });

  it('are written in smaller batches when each row takes long, and in full ones again afterwards', async () => {
    use(limited);
    await database.insertMessages(700);
    const job = await beginJob(700);
    const { messages } = await claims.claim(job, 700);
    await guard('new.sent_status', 'PERFORM pg_sleep(0.002)');
    const size = new BatchSize(BATCH_MAX, 100);
    await settle(job, messages.slice(0, 500), size);
    expect(await sent()).toBe(500);
    expect(await kept()).toEqual([]);
    const reduced = size.rows;
    expect(reduced).toBeLessThan(200);
    await database.query(`DROP TRIGGER guard ON messages`);
    await settle(job, messages.slice(500), size);
    expect(await sent()).toBe(700);
    expect(size.rows).toBeGreaterThan(reduced);
    expect(await database.value(`SELECT count(*) FROM delivery_attempts`)).toBe(700);
  });

  it('are kept by their turn when a right is missing, and say which', async () => {
    await database.insertMessages(3);
    const job = await beginJob(3);
    const { messages } = await claims.claim(job, 3);
    await database.query(`ALTER TABLE messages ALTER attempts TYPE text`).catch(() => undefined);
    await database.query(`ALTER TABLE messages RENAME COLUMN attempts TO tries`);
    await settle(job, messages);
    expect(await sent()).toBe(0);
    expect(await kept()).toHaveLength(3);
    expect((await kept())[0]?.reason).toMatch(/SQLSTATE 42703, column .*attempts.* does not exist/);
    await database.query(`ALTER TABLE messages RENAME COLUMN tries TO attempts`);
  });

  it('that need no request are refunded once', async () => {
    const [id = 0] = await database.insertMessages(1);
    const job = await beginJob(1);
    const {
      messages: [message],
    } = await claims.claim(job, 1);
    await guard(`new.parked_as IS NOT NULL AND new.id = ${id}`, raise);
    const settler = settlerOf(job);
    if (message !== undefined) settler.add(settleInvalid(message, 'phone', performance.now()));
    await settler.drain();
    expect(await kept()).toHaveLength(1);
    await database.query(`DROP TRIGGER guard ON messages`);
    await makeDue();
    await retry.turn();
    expect(await database.value(`SELECT parked_as FROM messages WHERE id = ${id}`)).toBe('failed');
    expect(await database.value(`SELECT claimed FROM dispatch_jobs WHERE id = ${job.id}`)).toBe(0);
  });

  it('are kept at a stop that cannot wait for a database that writes slowly, and written afterwards', async () => {
    await database.insertMessages(400);
    const job = await beginJob(400);
    const { messages } = await claims.claim(job, 400);
    await guard('new.sent_status', 'PERFORM pg_sleep(0.01)');
    const size = new BatchSize(BATCH_MAX, 100);
    size.timedOut(40);
    winding.abort('stopped');
    const startedAt = performance.now();
    await settle(job, messages, size);
    expect(performance.now() - startedAt).toBeLessThan(3_500);
    const marked = await sent();
    expect(marked).toBeGreaterThan(0);
    expect(await kept()).toHaveLength(400 - marked);
    await database.query(`DROP TRIGGER guard ON messages`);
    await makeDue();
    while ((await retry.turn()) !== null) await makeDue();
    expect(await sent()).toBe(400);
  });

  it('are kept for a job that is done or gone, and not for one that has another owner by now', async () => {
    await database.insertMessages(3);
    const job = await beginJob(3);
    const { messages } = await claims.claim(job, 3);
    await guard('new.sent_status', raise);
    await database.query(`UPDATE dispatch_jobs SET fence = 2`);
    await settle(job, messages.slice(0, 1));
    expect(await kept()).toEqual([]);
    await database.query(`UPDATE dispatch_jobs SET state = 'done'`);
    await settle(job, messages.slice(1, 2));
    expect(await kept()).toHaveLength(1);
    await database.query(`DELETE FROM dispatch_jobs`);
    await settle(job, messages.slice(2));
    expect(await kept()).toHaveLength(2);
  });

  it('and that their own table refuses as well, stay in memory and end the job; the others are kept or written', async () => {
    await database.insertMessages(40);
    const job = await beginJob(40);
    const { messages } = await claims.claim(job, 40);
    await guard(`new.sent_status AND new.id % 4 = 0`, raise);
    const [first = 0, ...others] = messages.map(({ id }) => id).filter((id) => id % 4 === 0);
    await database.query(`ALTER TABLE unwritten_outcomes ADD CHECK (message_id <> ${first})`);
    const settler = await settle(job, messages);
    expect(await sent()).toBe(30);
    expect((await kept()).map(({ message_id }) => message_id)).toEqual(others);
    // A release would free the message, and it would be requested again.
    expect([settler.incomplete, settler.isStuck]).toEqual([true, false]);
    expect(retry.trouble).toMatch(
      /^1 outcomes can be written neither to messages nor to unwritten_outcomes: SQLSTATE 23514/,
    );
    await makeDue();
    await retry.turn();
    expect(retry.trouble).toMatch(/^1 outcomes .* in memory alone; 9 outcomes cannot be written to messages/);
    await database.query(`ALTER TABLE unwritten_outcomes DROP CONSTRAINT unwritten_outcomes_message_id_check`);
    await database.query(`DROP TRIGGER guard ON messages`);
    // It is kept first, and written in the next turn.
    await makeDue();
    expect(await retry.turn()).toBeLessThanOrEqual(1_000);
    await makeDue();
    expect(await retry.turn()).toBeNull();
    expect([await sent(), retry.trouble]).toEqual([40, null]);
  });

  it('are held while somebody keeps a table of the service locked, and that one is named', async () => {
    const [refusedId] = await database.insertMessages(3);
    const job = await beginJob(3);
    const { messages } = await claims.claim(job, 3);
    await guard(`new.sent_status AND new.id = ${refusedId}`, raise);
    const other = await database.connect();
    try {
      await other.query(`SET application_name = 'somebody'; BEGIN; LOCK TABLE delivery_attempts IN SHARE MODE`);
      const settling = settle(job, messages);
      await eventually(() =>
        expect(retry.trouble).toMatch(/held in memory: .*somebody.* keeps the table delivery_attempts locked/),
      );
      await other.query('COMMIT; BEGIN; LOCK TABLE unwritten_outcomes IN SHARE MODE');
      await eventually(() => expect(retry.trouble).toMatch(/somebody.* keeps the table unwritten_outcomes locked/));
      expect([await sent(), await kept()]).toEqual([0, []]);
      await other.query('COMMIT');
      expect((await settling).incomplete).toBe(false);
    } finally {
      await other.end();
    }
    expect(retry.trouble).toBeNull();
    expect((await kept()).map(({ message_id }) => message_id)).toEqual([refusedId]);
    expect(await database.value(`SELECT count(*) FROM delivery_attempts`)).toBe(2);
  });

  it('of messages that are gone are counted in one line for the whole job', async () => {
    await database.insertMessages(6);
    const job = await beginJob(6);
    const { messages } = await claims.claim(job, 6);
    await database.query('DELETE FROM messages');
    await settle(job, messages, new BatchSize(2));
    expect(warnings.map((given) => given.at(-1))).toEqual([expect.stringMatching(/^6 outcomes were refused/)]);
  });

  it('are not written to other messages that have the ids since the last commits were lost', async () => {
    await database.insertMessages(3);
    const job = await beginJob(3);
    const { messages } = await claims.claim(job, 3);
    await database.query(`UPDATE messages SET claimed_by = NULL, claim_fence = NULL`);
    // A job that has the number of the lost one began with another fence.
    await database.query(`UPDATE dispatch_jobs SET fence = 7001`);
    await settle(job, messages.slice(0, 1));
    await database.query(`UPDATE dispatch_jobs SET fence = 0`);
    await settle(job, messages.slice(1, 2));
    await database.query(`DELETE FROM dispatch_jobs`);
    await settle(job, messages.slice(2));
    expect([await kept(), await sent()]).toEqual([[], 0]);
  });

  it('lock their rows in the order of ids, however the answers came', async () => {
    const [low = 0, high = 0] = await database.insertMessages(2);
    const job = await beginJob(2);
    const { messages } = await claims.claim(job, 2);
    const other = await database.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM messages WHERE id = $1 FOR UPDATE', [low]);
      const settling = settle(job, messages.toReversed());
      await eventually(async () => expect(await database.blocked()).toHaveLength(1));
      await database.query(`SELECT FROM messages WHERE id = ${high} FOR UPDATE NOWAIT`);
      await other.query('COMMIT');
      await settling;
      expect(await sent()).toBe(2);
    } finally {
      await other.end();
    }
  });

  describe('because the claim itself cannot be changed any more', () => {
    it('do not keep a job from ending that gives its claims back', async () => {
      await database.insertMessages(3);
      await database.query(`UPDATE messages SET next_attempt_at = now() - interval '1 s' WHERE id % 3 = 0`);
      const job = await beginJob(3);
      const { messages } = await claims.claim(job, 3);
      expect(messages).toHaveLength(3);
      await guard(`new.claimed_by IS NULL AND new.id = ${messages[1]?.id}`, raise);
      await endings().release(running(job));
      expect(await kept()).toHaveLength(3);
      await makeDue();
      await retry.turn();
      expect(await claimed()).toBe(1);
      await database.query(`DROP TRIGGER guard ON messages`);
      await makeDue();
      await retry.turn();
      expect(await claimed()).toBe(0);
      expect(await database.value(`SELECT claimed FROM dispatch_jobs WHERE id = ${job.id}`)).toBe(0);
      expect((await claims.claim(await beginJob(3), 3)).messages).toHaveLength(3);
    });

    it('do not keep the next owner of a job from going on', async () => {
      await database.insertMessages(3);
      const job = await beginJob(3);
      const { messages } = await claims.claim(job, 3);
      await guard(`new.claim_fence = 2 AND new.id = ${messages[1]?.id}`, raise);
      await database.query(`UPDATE dispatch_jobs SET fence = 2 WHERE id = $1`, [job.id]);
      const next = { id: job.id, fence: 2 };
      await endings().recover(running(next), 'none', settlerOf(next));
      expect(await kept()).toHaveLength(3);
      await makeDue();
      await retry.turn();
      expect(await claimed()).toBe(0);
      expect(await database.value(`SELECT count(*) FROM messages WHERE doubt IS NOT NULL`)).toBe(3);
    });
  });

  it('or claims that a trigger silently skips, are found without touching what others have locked', async () => {
    const [skipped, locked] = await database.insertMessages(3);
    await guard(`new.claimed_by IS NOT NULL AND new.id IN (${skipped}, ${locked})`, 'RETURN NULL');
    const refused = new RefusedClaims(service);
    const job = await beginJob(3);
    const other = await database.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM messages WHERE id = $1 FOR UPDATE', [locked]);
      const slice = await refused.trySlice('fresh', job, null, { slowAfterMs: 1_500, validOnly: false });
      expect(slice).toMatchObject({ tried: 3, good: 1 });
      expect(slice.refused.map(({ id }) => id)).toEqual([skipped]);
    } finally {
      await other.end();
    }
    expect((await claims.claim(job, 3)).messages.map(({ id }) => id)).not.toContain(skipped);
    expect(await refused.nowTaken([skipped ?? 0])).toEqual([]);
    await database.query(`DROP TRIGGER guard ON messages`);
    await makeDue();
    expect(await retry.turn()).toBeNull();
  });
});
