import { SendableLook } from '../src/messages/sendable-look.js';
import type { Client } from 'pg';
import { Database } from '../src/database.js';
import { FROM_THE_START, type RetryPlace } from '../src/messages/claim-look.js';
import { hashOf } from '../src/messages/claim-conditions.js';
import type { InvalidPlace } from '../src/messages/invalid-messages.js';
import { MessageClaims, type ClaimKey } from '../src/messages/message-claims.js';
import { MessageSettlements, type AttemptRecord, type Settlement } from '../src/messages/message-settlements.js';
import { RefusedClaims, SET_ASIDE_FRESH, SET_ASIDE_RETRIES } from '../src/messages/refused-claims.js';
import { UnwrittenOutcomes } from '../src/messages/unwritten-outcomes.js';
import { eventually } from './support/eventually.js';
import { ExplainedDatabase } from './support/explained-database.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import { PostgresServer } from './support/postgres-server.js';

const ROWS = Number(process.env['PLAN_ROWS'] ?? 200_000);
jest.setTimeout(120_000 + ROWS);

/** The columns of every message, by the shape that they make. */
const SHAPES: Readonly<Record<string, string>> = {
  'all waiting': `FALSE, NULL, NULL, NULL, NULL`,
  'all due': `FALSE, NULL, NULL, NULL, now() - n * interval '1 ms'`,
  'all due since one instant': `FALSE, NULL, NULL, NULL, '2025-01-01'`,
  'all pausing': `FALSE, NULL, NULL, NULL, now() + interval '1 h'`,
  'all parked': `FALSE, NULL, 'failed', now(), NULL`,
  'all sent': `TRUE, now() AT TIME ZONE 'UTC' - n * interval '1 ms', NULL, NULL, NULL`,
  'all kept in unwritten_outcomes': `FALSE, NULL, NULL, NULL, NULL`,
  'all sent while an old snapshot is open': `FALSE, NULL, NULL, NULL, CASE WHEN n % 2 = 0 THEN now() - interval '10 min' END`,
};
const FEW = 400;

interface Limit {
  readonly rows: number;
  readonly buffers: number;
}
/** Whatever the shape, and however large the table. */
const LIMIT: Limit = { rows: 5_000, buffers: 8_000 };
const LIMITS: Readonly<Record<string, Limit>> = {
  look: { rows: 4, buffers: 200 },
  // 50,000 of each kind, by the index alone.
  'messages.claim-far': { rows: 105_000, buffers: 8_000 },
  'messages.claim-valid-far': { rows: 105_000, buffers: 8_000 },
  // Slices of 5,000, and of 20,000.
  'messages.find-invalid-fresh': { rows: 11_000, buffers: 8_000 },
  'messages.find-invalid-retries': { rows: 11_000, buffers: 8_000 },
  'messages.park-invalid': { rows: 11_000, buffers: 8_000 },
  'messages.take-stray-fresh': { rows: 21_000, buffers: 8_000 },
  'messages.take-stray-retries': { rows: 21_000, buffers: 8_000 },
  // Tries 1,000 claims and rolls each back.
  'messages.set-refused-claims-aside': { rows: 21_000, buffers: 20_000 },
  'messages.set-refused-retries-aside': { rows: 21_000, buffers: 20_000 },
};
/** Each message that is looked at is also looked for in `unwritten_outcomes`. */
const KEPT_LIMITS: Readonly<Record<string, Limit>> = {
  'messages.claim-far': { rows: 160_000, buffers: 260_000 },
  'messages.claim-valid-far': { rows: 160_000, buffers: 260_000 },
  'messages.set-refused-claims-aside': { rows: 61_000, buffers: 125_000 },
};
const limitOf = (name: string, shape: string): Limit =>
  (shape.includes('kept') ? KEPT_LIMITS[name] : undefined) ?? LIMITS[name] ?? LIMIT;

/** The most that each statement cost, for people. */
const most = new Map<string, Limit>();

const attempt: AttemptRecord = {
  number: 1,
  durationMs: 3,
  httpStatus: 202,
  outcome: 'accepted',
  error: null,
  responseExcerpt: null,
};
const outcome = (id: number, state: Settlement['state'], further: Partial<Settlement> = {}): Settlement => ({
  id,
  state,
  knownAt: performance.now(),
  charged: true,
  delayMs: null,
  reason: null,
  messageId: null,
  messageHash: null,
  attempt,
  ...further,
});

/** Everything that a job and its successor do, on the first messages, in the middle and from the end. */
async function useAll(database: ExplainedDatabase, known: MessageClaims): Promise<number[]> {
  const claims = new MessageClaims(database);
  const settlements = new MessageSettlements(database);
  const refused = new RefusedClaims(database);
  const outcomes = new UnwrittenOutcomes(database);
  // What a replica knows after its first looks.
  const { freshFrom, retriesFrom, expression } = known.work;
  Object.defineProperties(claims.work, { freshFrom: { value: freshFrom }, retriesFrom: { value: retriesFrom } });
  const floor = freshFrom === null ? [null, null, null, null] : [freshFrom, ...(retriesFrom ?? [null, null]), null];
  await database.query({ name: 'look', text: `SELECT ${expression} AS found` }, floor);

  // In the middle, and far; nothing is left of it.
  const middle = Math.max(ROWS / 2, freshFrom ?? 0);
  const midst: RetryPlace = [Date.now() * 1_000, ROWS / 2];
  const elsewhere = await begin(database, claims);
  await claims.claim(elsewhere, 100, { fresh: middle, retries: midst, far: false });
  await claims.claim(elsewhere, 100, { fresh: null, retries: null, far: true });
  for (const far of [false, true]) await claims.claim(elsewhere, 100, { fresh: middle, retries: midst, far }, true);
  for (const fresh of [null, middle]) await claims.claim(elsewhere, 100, { fresh, retries: 'ended', far: false });
  for (const place of [0, 0.5, 1])
    for (const retryFirst of [false, true])
      await claims.claimProbe(elsewhere, place, { retryFirst, known: ['+905550000000'], othersOnly: true });
  await database.execute(
    `UPDATE messages SET claimed_by = NULL, claim_fence = NULL WHERE claimed_by = ${elsewhere.id}`,
  );
  await database.execute(`UPDATE dispatch_jobs SET state = 'done' WHERE id = ${elsewhere.id}`);
  for (const [fresh, retries] of [
    [null, null],
    [middle, midst],
  ] as const) {
    await claims.findInvalidFresh(fresh);
    await claims.findInvalidRetries(retries);
  }
  await claims.parkInvalid(await firstPlaces(database));

  const job = await begin(database, claims);
  const first = await claims.claim(job, 100);
  const second = await claims.claim(job, 100, {
    fresh: first.fresh?.next ?? null,
    retries: first.retries?.next ?? null,
    far: false,
  });
  const probe = await claims.claimProbe(job, 0.5);
  const ids = [...first.messages, ...second.messages].map(({ id }) => id);
  await claims.giveBack(job, ids.slice(0, 10));
  await settlements.settle(
    job,
    ids.slice(10, 60).map((id) => outcome(id, 'sent', { messageId: `m-${id}` })),
  );
  await settlements.settle(
    job,
    ids.slice(60, 110).map((id) => outcome(id, id % 2 === 0 ? 'waiting' : 'failed', { delayMs: 60_000, reason: 'no' })),
  );
  await settlements.unproven(
    job,
    ids.map((id) => outcome(id, 'sent')),
  );
  await settlements.locked(ids);
  const refusal = { sqlstate: null, text: 'locked' };
  const unwritten = ids.slice(110, 120);
  for (const validOnly of [false, true]) await claims.setNextAside(job, FROM_THE_START, validOnly, refusal);
  await outcomes.keep(
    job,
    unwritten.map((id) => ({ settlement: outcome(id, 'sent'), refusal })),
  );
  await outcomes.takeDue(200);
  await outcomes.summary();
  await outcomes.drop(job, unwritten);
  await outcomes.drop(null, ids.slice(0, 10));
  await database.query(SET_ASIDE_FRESH, [500, 1_000, 1_000, job.id, job.fence, false, freshFrom]);
  await database.query(SET_ASIDE_FRESH, [500, 1_000, 1_000, job.id, job.fence, false, middle]);
  await database.query(SET_ASIDE_RETRIES, [
    500,
    1_000,
    1_000,
    job.id,
    job.fence,
    false,
    ...(retriesFrom ?? [null, null]),
  ]);
  await database.query(SET_ASIDE_RETRIES, [500, 1_000, 1_000, job.id, job.fence, false, ...midst]);
  await refused.nowTaken(ids);
  await refused.openClaims(job);

  await database.execute(`UPDATE dispatch_jobs SET fence = 2 WHERE id = ${job.id}`);
  const next = { id: job.id, fence: 2 };
  const { taken } = await claims.takeOver(next);
  await claims.release(next);
  await claims.claim(await begin(database, claims), 100);
  await database.execute(`UPDATE dispatch_jobs SET state = 'done'`);
  await claims.takeStrayFresh(null);
  await claims.takeStrayFresh(middle);
  await claims.takeStrayRetries(null);
  await claims.takeStrayRetries(midst);
  return [first.messages.length, second.messages.length, taken.length, probe === null ? 0 : 1];
}

/** Where 5,000 messages lie, whatever they are. */
async function firstPlaces(database: ExplainedDatabase): Promise<InvalidPlace[]> {
  const rows = await database.execute<{ source: number; place: string; id: number }>(
    `SELECT tableoid::bigint AS source, ctid::text AS place, id FROM messages LIMIT 5000`,
  );
  return rows.map(({ source, place, id }) => [source, place, id]);
}

async function begin(database: ExplainedDatabase, claims: MessageClaims): Promise<ClaimKey> {
  const [row] = await database.execute<{ id: number }>(
    `INSERT INTO dispatch_jobs (due_at, state, fence, budget) VALUES (now(), 'running', 1, 100000) RETURNING id`,
  );
  const job = { id: row?.id ?? 0, fence: 1 };
  await claims.open(job);
  return job;
}

/** Of its own: what other tests keep open has old versions of rows stay, and statements walk over them. */
let server: PostgresServer;
beforeAll(async () => {
  server = await PostgresServer.started();
});

describe.each(Object.entries(SHAPES))('statements of the dispatcher beside messages that are %s', (shape, columns) => {
  let migrated: MigratedDatabase;
  let known: MessageClaims;
  let early: ExplainedDatabase;
  let snapshot: Client | undefined;

  beforeAll(async () => {
    migrated = await createMigratedDatabase(server.url);
    const { database, dataSource } = migrated;
    known = new MessageClaims(new Database(dataSource));
    for (const table of ['messages', 'dispatch_jobs', 'unwritten_outcomes', 'delivery_attempts'])
      await database.query(`ALTER TABLE ${table} SET (autovacuum_enabled = off)`);
    await database.query(`UPDATE scheduler_state SET running = TRUE`);
    // Plans that were made while the tables were empty, and stay.
    early = await ExplainedDatabase.connect(dataSource, 'force_generic_plan');
    await early.costsOf(() => useAll(early, known));
    const insert = `INSERT INTO messages (recipient_phone, content, sent_status, sent_at, parked_as, parked_at, next_attempt_at)`;
    await database.query(`${insert} SELECT '+905551111111', 'x', ${columns} FROM generate_series(1, ${ROWS}) n`);
    if (shape.includes('unwritten_outcomes'))
      await database.query(`INSERT INTO unwritten_outcomes (message_id, message_hash, known_at, reason, retry_at)
        SELECT id, ${hashOf('messages')}, now(), 'a trigger', now() + id * interval '1 ms' FROM messages`);
    if (shape.includes('old snapshot')) {
      const other = await database.connect();
      snapshot = other;
      await other.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      await other.query('SELECT FROM messages LIMIT 1');
      await database.query(`UPDATE messages SET sent_status = TRUE, sent_at = now(), next_attempt_at = NULL`);
    }
    // Some of each kind behind all the others.
    await database.query(`${insert} SELECT '+905551111111', 'x', FALSE, NULL, NULL, NULL, CASE WHEN n % 2 = 0 THEN now() END
      FROM generate_series(1, ${FEW}) n`);
    await database.query(`INSERT INTO dispatch_jobs (due_at, state, claimed_to)
      SELECT now(), 'done', ${ROWS + FEW} FROM generate_series(1, 5000)`);
    // Looks, until every transaction is over that was open during the first: then it is known below which id nothing is left.
    // As where a look from the start is dear.
    Object.defineProperty(known, 'work', { value: new SendableLook(0) });
    await eventually(async () => {
      known.work.exists(await database.value(`SELECT ${known.work.expression}`, [...known.work.values()]));
      if (known.work.freshFrom === null) throw new Error('not known yet');
    }, 60_000);
  });
  afterAll(async () => {
    early.release();
    await snapshot?.end();
    await migrated.drop();
  });

  const check = async (database: ExplainedDatabase, planned: string) => {
    let claimed: readonly number[] = [];
    const costs = await database.costsOf(async () => {
      claimed = await useAll(database, known);
    });
    expect([planned, claimed.every((count) => count > 0)]).toEqual([planned, true]);
    const beyond = costs.filter(({ name, rows, buffers }) => {
      const limit = limitOf(name, shape);
      return rows > limit.rows || buffers > limit.buffers;
    });
    expect([planned, beyond]).toEqual([planned, []]);
    for (const { name, rows, buffers } of costs) {
      const before = most.get(name) ?? { rows: 0, buffers: 0 };
      most.set(name, { rows: Math.max(rows, before.rows), buffers: Math.max(buffers, before.buffers) });
    }
  };
  const checkAnew = async (planCacheMode: string, planned: string) => {
    const database = await ExplainedDatabase.connect(migrated.dataSource, planCacheMode);
    try {
      await check(database, planned);
    } finally {
      database.release();
    }
  };

  it('look at a bounded number of rows and pages', async () => {
    await check(early, 'for all values alike, while the tables were empty');
    await checkAnew('force_custom_plan', 'for these values, without statistics');
    await migrated.database.query('ANALYZE');
    await checkAnew('force_generic_plan', 'for all values alike');
    await checkAnew('force_custom_plan', 'for these values');
  });
});

afterAll(async () => {
  await server.remove();
  if (process.env['PLAN_ROWS'] === undefined) return;
  process.stdout.write(`The most rows and pages that a statement looked at, of ${ROWS} messages:\n`);
  for (const [name, { rows, buffers }] of most) process.stdout.write(`${name.padEnd(38)} ${rows} ${buffers}\n`);
});
