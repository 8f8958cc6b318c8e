import { Logger } from '@nestjs/common';
import { Database } from '../src/database.js';
import { BatchSize } from '../src/batch-size.js';
import { DeliveryReceipts } from '../src/dispatch/delivery-receipts.js';
import { JobReceipts } from '../src/dispatch/job-receipts.js';
import { LockPatience } from '../src/dispatch/lock-patience.js';
import type { OutcomeRetry } from '../src/dispatch/outcome-retry.js';
import { BATCH_MAX, Settler } from '../src/dispatch/settler.js';
import { MessageClaims, type ClaimKey } from '../src/messages/message-claims.js';
import { MessageSettlements, type Settlement } from '../src/messages/message-settlements.js';
import { RedisConnection } from '../src/redis.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import { openJob } from './support/open-job.js';
import { outcomeRetryOn } from './support/outcome-retry-on.js';
import type { TestDatabase } from './support/test-database.js';

Logger.overrideLogger(false);
jest.setTimeout(60_000);

type State = Settlement['state'];

const outcome = (id: number, state: State): Settlement => ({
  id,
  state,
  knownAt: performance.now(),
  charged: true,
  delayMs: state === 'waiting' ? 60_000 : null,
  reason: state === 'failed' || state === 'uncertain' ? 'no' : null,
  messageId: state === 'sent' ? `sms-${id}` : null,
  messageHash: null,
  attempt: {
    number: 1,
    durationMs: 1,
    httpStatus: 202,
    outcome: state === 'sent' ? 'accepted' : 'unavailable',
    error: null,
    responseExcerpt: null,
  },
});

describe('writes that a trigger puts back', () => {
  let migrated: MigratedDatabase;
  let database: TestDatabase;
  let claims: MessageClaims;
  let settlements: MessageSettlements;
  let retry: OutcomeRetry;
  const open = new AbortController().signal;

  beforeEach(async () => {
    migrated = await createMigratedDatabase();
    ({ database } = migrated);
    await database.query(`UPDATE scheduler_state SET running = TRUE`);
    const service = new Database(migrated.dataSource);
    claims = new MessageClaims(service);
    settlements = new MessageSettlements(service);
    retry = outcomeRetryOn(migrated.dataSource, service, settlements);
  });
  afterEach(async () => await migrated.drop());

  const beginJob = async (budget: number): Promise<ClaimKey> => {
    const { id, fence } = await openJob(database, budget);
    await claims.open({ id, fence });
    return { id, fence };
  };
  const settle = async (job: ClaimKey, outcomes: readonly Settlement[]) => {
    const receipts = new JobReceipts(new DeliveryReceipts(new RedisConnection()), 'none', job.id);
    const settler = new Settler(
      {
        settlements,
        retry,
        receipts,
        size: new BatchSize(BATCH_MAX),
        patience: new LockPatience(),
        job: { ...job, winding: open, abandoned: open },
        logger: new Logger(),
      },
      () => undefined,
    );
    for (const each of outcomes) settler.add(each);
    await settler.drain();
  };
  const before = async (act: string) => await guard('BEFORE', `${act} RETURN new;`);
  const whole = async (id: number) =>
    await before(`IF new.id = ${id} AND new.claimed_by IS NULL THEN new := old; END IF;`);
  /** What stands in SET of the row that was just written. */
  const after = async (condition: string, set: string) =>
    await guard(
      'AFTER',
      `IF pg_trigger_depth() = 1 AND ${condition} THEN UPDATE messages SET ${set} WHERE id = new.id; END IF; RETURN NULL;`,
    );
  const guard = async (time: string, body: string) => {
    await database.query(`CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} END $$`);
    await database.query(`CREATE TRIGGER guard ${time} UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION guard()`);
  };
  const leave = async () => {
    await database.query(`DROP TRIGGER guard ON messages`);
    await database.query(`UPDATE unwritten_outcomes SET retry_at = now()`);
  };
  const kept = async () =>
    await database.query<{ message_id: number; state: State | null; reason: string }>(
      `SELECT message_id, settlement->>'state' AS state, reason FROM unwritten_outcomes ORDER BY message_id`,
    );
  const claimable = async () => (await claims.claim(await beginJob(10), 10)).messages.map(({ id }) => id);
  const REASON = 'a trigger or a row policy kept the row as it was';

  describe('a claim', () => {
    const cases: [string, (id: number) => Promise<unknown>][] = [
      ['the whole row', (id) => before(`IF new.id = ${id} AND new.claimed_by IS NOT NULL THEN new := old; END IF;`)],
      ['the owner', (id) => before(`IF new.id = ${id} THEN new.claimed_by := NULL; END IF;`)],
      ['the fence', (id) => before(`IF new.id = ${id} THEN new.claim_fence := NULL; END IF;`)],
      ['the claim, afterwards', (id) => after(`new.id = ${id}`, 'claimed_by = NULL, claim_fence = NULL')],
    ];
    it.each(cases)('%s: is not taken for one and set aside; the others are claimed', async (_name, putBack) => {
      const ids = await database.insertMessages(3);
      await putBack(ids[0] ?? 0);
      const job = await beginJob(3);
      const claim = await claims.claim(job, 2);
      expect(claim.messages.map(({ id }) => id)).toEqual([ids[1]]);
      expect(claim.setAside).toEqual([ids[0]]);
      expect(claim.fresh?.next).not.toBeNull();
      expect(await kept()).toEqual([{ message_id: ids[0], state: null, reason: REASON }]);
      expect((await claims.claim(job, 2)).messages.map(({ id }) => id)).toEqual([ids[2]]);
      expect((await claims.claim(job, 2)).messages).toEqual([]);
    });

    it.each(cases)('%s: is passed over by a probe', async (_name, putBack) => {
      const ids = await database.insertMessages(3);
      await putBack(ids[2] ?? 0);
      const job = await beginJob(3);
      expect((await claims.claimProbe(job, 1))?.id).toBe(ids[1]);
      expect(await kept()).toEqual([{ message_id: ids[2], state: null, reason: REASON }]);
      expect(await database.value(`SELECT claimed FROM dispatch_jobs WHERE id = ${job.id}`)).toBe(1);
    });
  });

  describe('an outcome', () => {
    const cases: [string, State, (id: number) => Promise<unknown>][] = [
      ['the whole row', 'sent', whole],
      ['the whole row', 'failed', whole],
      ['the whole row', 'waiting', whole],
      ['the mark', 'sent', (id) => before(`IF new.id = ${id} THEN new.sent_status := FALSE; END IF;`)],
      ['the mark, afterwards', 'sent', (id) => after(`new.id = ${id} AND new.sent_status`, 'sent_status = FALSE')],
      ['the parking', 'failed', (id) => before(`IF new.id = ${id} THEN new.parked_as := NULL; END IF;`)],
      ['the parking', 'uncertain', (id) => before(`IF new.id = ${id} THEN new.parked_as := NULL; END IF;`)],
      [
        'the parking, afterwards',
        'failed',
        (id) => after(`new.id = ${id} AND new.parked_as IS NOT NULL`, 'parked_as = NULL'),
      ],
      ['the pause', 'waiting', (id) => before(`IF new.id = ${id} THEN new.next_attempt_at := NULL; END IF;`)],
      ['the count', 'waiting', (id) => before(`IF new.id = ${id} THEN new.attempts := 0; END IF;`)],
    ];
    it.each(cases)('%s (%s): is kept until it is written, and never claimed again', async (_name, state, putBack) => {
      const ids = await database.insertMessages(2);
      const [odd = 0, good = 0] = ids;
      const job = await beginJob(2);
      await claims.claim(job, 2);
      await putBack(odd);
      await settle(job, [outcome(odd, state), outcome(good, 'sent')]);
      expect(await database.query(`SELECT id FROM messages WHERE sent_status`)).toEqual([{ id: good }]);
      const expected = [{ message_id: odd, state, reason: REASON }];
      expect(await kept()).toEqual(expected);
      await database.query(`UPDATE dispatch_jobs SET state = 'done' WHERE id = ${job.id}`);
      expect(await claimable()).toEqual([]);
      expect(await claims.takeStrayFresh(null)).toMatchObject({ taken: [] });
      // Tried again, as often as it is due, it stays.
      for (let tries = 0; tries < 2; tries += 1) {
        await database.query(`UPDATE unwritten_outcomes SET retry_at = now()`);
        await retry.turn();
        expect(await kept()).toEqual(expected);
      }
      expect(await claimable()).toEqual([]);
      await leave();
      await retry.turn();
      expect(await kept()).toEqual([]);
      const [row] = await database.query<Record<string, unknown>>(
        `SELECT sent_status, parked_as, claimed_by, attempts, next_attempt_at IS NOT NULL AS pauses,
           (SELECT count(*) FROM delivery_attempts WHERE message_id = messages.id) AS logged
         FROM messages WHERE id = ${odd}`,
      );
      expect(row).toEqual({
        sent_status: state === 'sent',
        parked_as: state === 'failed' || state === 'uncertain' ? state : null,
        claimed_by: null,
        attempts: 1,
        pauses: state === 'waiting',
        logged: 1,
      });
    });

    it('of a message whose claim was taken away meanwhile is kept and written; one of a former owner is refused', async () => {
      const [lost = 0, late = 0] = await database.insertMessages(2);
      const job = await beginJob(2);
      await claims.claim(job, 2);
      await database.query(`UPDATE messages SET claimed_by = NULL, claim_fence = NULL WHERE id = ${lost}`);
      await settle(job, [outcome(lost, 'sent')]);
      expect(await kept()).toMatchObject([{ message_id: lost, state: 'sent' }]);
      await leave().catch(() => undefined);
      await database.query(`UPDATE unwritten_outcomes SET retry_at = now()`);
      await retry.turn();
      expect(await database.query(`SELECT id FROM messages WHERE sent_status`)).toEqual([{ id: lost }]);
      await database.query(`UPDATE dispatch_jobs SET fence = 2 WHERE id = ${job.id}`);
      await database.query(`UPDATE messages SET claimed_by = NULL, claim_fence = NULL WHERE id = ${late}`);
      await settle(job, [outcome(late, 'sent')]);
      expect(await kept()).toEqual([]);
      expect(await claimable()).toEqual([late]);
    });
  });

  it('a release is counted only where it is one', async () => {
    const ids = await database.insertMessages(3);
    const job = await beginJob(3);
    await claims.claim(job, 3);
    await before(`IF new.id = ${ids[0]} AND new.claimed_by IS NULL THEN new := old; END IF;`);
    expect(await claims.giveBack(job, ids.slice(0, 2))).toBe(1);
    expect(await claims.release(job)).toBe(1);
    expect(await database.value(`SELECT claimed FROM dispatch_jobs WHERE id = ${job.id}`)).toBe(1);
  });
});
