import { Logger } from '@nestjs/common';
import { Database } from '../src/database.js';
import { messageHash } from '../src/dispatch/idempotency-key.js';
import type { OutcomeRetry } from '../src/dispatch/outcome-retry.js';
import { MessageClaims, type ClaimedMessage, type ClaimKey } from '../src/messages/message-claims.js';
import { MessageSettlements, type Settlement } from '../src/messages/message-settlements.js';
import { MessagesRepository } from '../src/messages/messages.repository.js';
import { RefusedClaims } from '../src/messages/refused-claims.js';
import { UnwrittenOutcomes } from '../src/messages/unwritten-outcomes.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import { openJob } from './support/open-job.js';
import { outcomeRetryOn } from './support/outcome-retry-on.js';
import type { TestDatabase } from './support/test-database.js';

Logger.overrideLogger(false);
jest.setTimeout(60_000);

const REFUSED = { sqlstate: 'P0001', text: 'SQLSTATE P0001' };

const outcome = (message: ClaimedMessage, state: Settlement['state']): Settlement => ({
  id: message.id,
  state,
  knownAt: performance.now(),
  charged: true,
  delayMs: state === 'waiting' ? 60_000 : null,
  reason: state === 'failed' || state === 'uncertain' ? 'no' : null,
  messageId: state === 'sent' ? `sms-${message.id}` : null,
  messageHash: messageHash(message),
  attempt: {
    number: 1,
    durationMs: 1,
    httpStatus: 202,
    outcome: state === 'sent' ? 'accepted' : 'unavailable',
    error: null,
    responseExcerpt: null,
  },
});

/** How another message comes to have the id of one whose outcome is kept. */
const BECOMES_ANOTHER: readonly (readonly [string, string])[] = [
  ['a TRUNCATE', `TRUNCATE messages RESTART IDENTITY; INSERT INTO messages (recipient_phone, content) %`],
  ['a deletion', `DELETE FROM messages; INSERT INTO messages (id, recipient_phone, content) %id`],
  ['a restore of a dump with claims', `UPDATE messages SET created_at = created_at - interval '1 h'`],
  ['another number', `UPDATE messages SET recipient_phone = '+905559999999'`],
  ['another text', `UPDATE messages SET content = 'other ' || id, claimed_by = NULL, claim_fence = NULL`],
];

describe('what is kept of a message', () => {
  let migrated: MigratedDatabase;
  let database: TestDatabase;
  let service: Database;
  let claims: MessageClaims;
  let settlements: MessageSettlements;
  let outcomes: UnwrittenOutcomes;
  let refused: RefusedClaims;
  let retry: OutcomeRetry;

  beforeAll(async () => {
    migrated = await createMigratedDatabase();
    ({ database } = migrated);
    await database.query(`UPDATE scheduler_state SET running = TRUE`);
    service = new Database(migrated.dataSource);
    claims = new MessageClaims(service);
    settlements = new MessageSettlements(service);
    outcomes = new UnwrittenOutcomes(service);
    refused = new RefusedClaims(service);
    retry = outcomeRetryOn(migrated.dataSource, service, settlements);
  });
  beforeEach(async () => {
    await database.query(`DROP FUNCTION IF EXISTS guard CASCADE`);
    await database.query(`TRUNCATE messages, dispatch_jobs, delivery_attempts, unwritten_outcomes RESTART IDENTITY`);
  });
  afterAll(async () => await migrated.drop());

  const beginJob = async (budget: number): Promise<ClaimKey> => {
    const { id, fence } = await openJob(database, budget);
    await claims.open({ id, fence });
    return { id, fence };
  };
  const claimed = async (job: ClaimKey) => (await claims.claim(job, 10)).messages;
  const guard = async (body: string) => {
    await database.query(
      `CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} RETURN new; END $$;
       CREATE TRIGGER guard BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION guard()`,
    );
  };
  const becomeAnother = async (change: string) =>
    await database.query(
      change
        .replace('%id', `SELECT n, '+9055511' || lpad(n::text, 5, '0'), 'new ' || n FROM generate_series(1, 4) n`)
        .replace('%', `SELECT '+9055511' || lpad(n::text, 5, '0'), 'new ' || n FROM generate_series(1, 4) n`),
    );
  const retryAll = async () => {
    await database.query(`UPDATE unwritten_outcomes SET retry_at = now()`);
    return await retry.turn();
  };
  const kept = async () => await database.value<number>(`SELECT count(*) FROM unwritten_outcomes`);
  const rows = async (columns: string) =>
    await database.query<Record<string, unknown>>(`SELECT ${columns} FROM messages ORDER BY id`);

  it.each(BECOMES_ANOTHER)('is not written to another one that has its id after %s', async (_name, change) => {
    await database.insertMessages(4);
    const job = await beginJob(4);
    const messages = await claimed(job);
    const states = ['sent', 'failed', 'uncertain', 'waiting'] as const;
    const entries = messages.map((message, index) => ({
      settlement: outcome(message, states[index] ?? 'sent'),
      refusal: REFUSED,
    }));
    expect(await outcomes.keep(job, entries)).toHaveLength(4);
    expect((await new MessagesRepository(service as never).find(1))?.parked_reason).toMatch(/cannot be written/);
    await database.query(`UPDATE dispatch_jobs SET state = 'done'`);
    await becomeAnother(change);
    const before = await rows('*');

    // Before the retry finds out, nobody is held up, and no reader is told of the former message.
    expect((await new MessagesRepository(service as never).find(1))?.parked_reason).toBeNull();
    // Nor where it changes between the look of the retry and its write.
    const known = entries.map(({ settlement }) => settlement);
    expect(await settlements.settle(job, known, true, true)).toEqual([]);
    expect(await retryAll()).toBeNull();
    expect(await kept()).toBe(0);
    expect(await rows('*')).toEqual(before);
    expect(await database.value(`SELECT count(*) FROM delivery_attempts`)).toBe(0);
  });

  it('does not keep another one with its id from being claimed, probed, parked, released or kept itself', async () => {
    await database.insertMessages(4);
    const first = await beginJob(4);
    const settled = (await claimed(first)).map((message) => outcome(message, 'sent'));
    await outcomes.keep(
      first,
      settled.map((settlement) => ({ settlement, refusal: REFUSED })),
    );
    await becomeAnother(`TRUNCATE messages RESTART IDENTITY; INSERT INTO messages (recipient_phone, content) %`);
    await database.query(`UPDATE messages SET recipient_phone = 'nobody' WHERE id = 4`);
    expect((await claims.findInvalidFresh(null)).invalid).toHaveLength(1);
    const job = await beginJob(4);
    const probe = await claims.claimProbe(job, 1);
    expect(probe?.content).toBe('new 3');
    const messages = await claimed(job);
    expect(messages.map(({ content }) => content)).toEqual(['new 1', 'new 2', 'new 4']);
    expect(await refused.openClaims(job)).toHaveLength(4);
    expect(await claims.release(job)).toBe(0);
    expect(await rows('claimed_by')).toEqual([1, 2, 3, 4].map(() => ({ claimed_by: null })));

    // What an earlier owner knows of the former ones is not kept for the new ones, and what is known of these replaces it.
    expect(
      await outcomes.keep(
        first,
        settled.slice(0, 1).map((settlement) => ({ settlement, refusal: REFUSED })),
      ),
    ).toEqual([]);
    expect(await settlements.unproven(first, settled)).toEqual([]);
    const next = await beginJob(4);
    const [one] = await claimed(next);
    if (one === undefined) throw new Error('nothing was claimed');
    expect(await outcomes.keep(next, [{ settlement: outcome(one, 'sent'), refusal: REFUSED }])).toEqual([1]);
    await retryAll();
    expect(await rows('sent_status')).toEqual([true, false, false, false].map((sent_status) => ({ sent_status })));
    expect(await kept()).toBe(0);
  });

  it('is kept once where an inheriting table has the same message again', async () => {
    await database.query(`CREATE TABLE archive () INHERITS (messages)`);
    await database.insertMessages(1);
    const job = await beginJob(1);
    const settled = (await claimed(job)).map((message) => outcome(message, 'sent'));
    await database.query(`INSERT INTO archive SELECT * FROM messages`);
    expect(
      await outcomes.keep(
        job,
        [...settled, ...settled].map((settlement) => ({ settlement, refusal: REFUSED })),
      ),
    ).toEqual([1]);
    expect(await kept()).toBe(1);
    await database.query(`DROP TABLE archive`);
  });

  it('sets aside a refused claim where the id was kept of a message that is gone', async () => {
    await database.insertMessages(1);
    await database.query(
      `INSERT INTO unwritten_outcomes (message_id, message_hash, job_id, fence, settlement, known_at, reason, retry_at)
       VALUES (1, 'another one', 1, 1, '{"id":1,"state":"sent"}', now(), 'x', now() + interval '1 h')`,
    );
    await guard(`IF new.claimed_by IS NOT NULL THEN RAISE 'no'; END IF;`);
    const job = await beginJob(1);
    const slice = await refused.trySlice('fresh', job, null, { slowAfterMs: 1_500, validOnly: false });
    expect(slice.refused).toHaveLength(1);
    expect(await database.query(`SELECT job_id, settlement, sqlstate FROM unwritten_outcomes`)).toEqual([
      { job_id: null, settlement: null, sqlstate: 'P0001' },
    ]);
    expect(await claimed(job)).toEqual([]);
  });

  it('is written to its message when that may be, whatever was changed of it but number, text and time', async () => {
    await database.insertMessages(3);
    const job = await beginJob(3);
    const messages = await claimed(job);
    // Put back by the statement itself, or refused and kept by another one.
    await guard(`IF new.id = 1 THEN new.sent_status := FALSE; END IF;`);
    await settlements.settle(job, [outcome(messages[0] as ClaimedMessage, 'sent')]);
    await outcomes.keep(
      job,
      messages.slice(1).map((message) => ({ settlement: outcome(message, 'sent'), refusal: REFUSED })),
    );
    expect(await kept()).toBe(3);
    expect(await claimed(await beginJob(3))).toEqual([]);
    await database.query(`DROP TRIGGER guard ON messages`);
    await database.query(`UPDATE messages SET claimed_by = NULL, claim_fence = NULL, attempts = 0 WHERE id > 1`);
    expect(await claimed(await beginJob(3))).toEqual([]);
    expect(await retryAll()).toBeNull();
    expect(await rows('message_id')).toEqual(['sms-1', 'sms-2', 'sms-3'].map((message_id) => ({ message_id })));
  });
});
