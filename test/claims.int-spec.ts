import type { Client } from 'pg';
import { Database } from '../src/database.js';
import { FROM_THE_START } from '../src/messages/claim-look.js';
import { MessageClaims } from '../src/messages/message-claims.js';
import { SendableLook } from '../src/messages/sendable-look.js';
import { eventually } from './support/eventually.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import type { TestDatabase } from './support/test-database.js';

describe('claims', () => {
  let migrated: MigratedDatabase;
  let database: TestDatabase;
  let claims: MessageClaims;
  let other: Client;
  let job: { id: number; fence: number };

  beforeEach(async () => {
    migrated = await createMigratedDatabase();
    ({ database } = migrated);
    await database.query(`UPDATE scheduler_state SET running = TRUE`);
    claims = new MessageClaims(new Database(migrated.dataSource));
    const id = await database.value<number>(
      `INSERT INTO dispatch_jobs (due_at, state, fence, budget) VALUES (now(), 'running', 1, 5) RETURNING id`,
    );
    job = { id, fence: 1 };
    other = await database.connect();
  });

  afterEach(async () => {
    await other.end();
    await migrated.drop();
  });

  const claim = async (limit: number) => (await claims.claim(job, limit)).messages;
  const lock = async (id: number | undefined) =>
    await other.query('SELECT FROM messages WHERE id = $1 FOR UPDATE', [id]);
  const blocked = async (count: number) =>
    await eventually(async () => expect(await database.blocked()).toHaveLength(count));
  const charged = async () => await database.value(`SELECT claimed FROM dispatch_jobs WHERE id = $1`, [job.id]);
  const claimedBy = async (fence: number) => {
    const rows = await database.query<{ id: number }>(
      `SELECT id FROM messages WHERE claimed_by = $1 AND claim_fence = $2 ORDER BY id`,
      [job.id, fence],
    );
    return rows.map(({ id }) => id);
  };

  const beginJob = async (budget: number) => {
    const id = await database.value<number>(
      `INSERT INTO dispatch_jobs (due_at, state, fence, budget) VALUES (now(), 'running', 1, $1) RETURNING id`,
      [budget],
    );
    job = { id, fence: 1 };
    await claims.open(job);
  };
  const insert = async (count: number, nextAttemptAt: string) =>
    await database.query(
      `INSERT INTO messages (recipient_phone, content, next_attempt_at)
       SELECT '+905551111111', 'text', ${nextAttemptAt} FROM generate_series(1, ${count}) n`,
    );
  const claimIds = async (limit: number) => (await claim(limit)).map(({ id }) => id);

  it.each([
    ['of both kinds', FROM_THE_START],
    ['of fresh messages alone', { ...FROM_THE_START, retries: 'ended' as const }],
  ])('%s spend what came back on the budget while they waited for the row of the job', async (_kinds, look) => {
    await insert(10, 'NULL');
    await claims.open(job);
    await database.query(`UPDATE dispatch_jobs SET claimed = 5 WHERE id = $1`, [job.id]);
    await other.query('BEGIN');
    await other.query(`UPDATE dispatch_jobs SET claimed = 3 WHERE id = $1`, [job.id]);
    const waiting = claims.claim(job, 10, look);
    await blocked(1);
    await other.query('COMMIT');
    expect((await waiting).messages.map(({ id }) => id)).toEqual([1, 2]);
    expect(await charged()).toBe(5);
  });
  /** Everything that writes by place, on messages that lie at the same places as sent ones of another table. */
  const useAll = async () => {
    await claims.open(job);
    const fresh = await claims.claim(job, 2, { fresh: null, retries: 'ended', far: false });
    const claimed = [...fresh.messages, ...(await claim(2))].map(({ id }) => id);
    await claims.giveBack(job, claimed.slice(0, 1));
    await database.query(`UPDATE dispatch_jobs SET fence = 2 WHERE id = $1`, [job.id]);
    const next = { id: job.id, fence: 2 };
    const { taken } = await claims.takeOver(next);
    await database.query(`UPDATE messages SET claim_fence = 2 WHERE claimed_by = $1`, [job.id]);
    await claims.release(next);
    return { claimed, taken: taken.map(({ id }) => id) };
  };
  const sentAndTouched = async () =>
    await database.query(`SELECT id FROM messages WHERE sent_status AND (sent_at IS DISTINCT FROM '2025-01-01'
      OR claimed_by IS NOT NULL OR claim_fence IS NOT NULL)`);

  /** Has a claim take its snapshot, changes messages, and lets the claim go on: it waits for the job's row meanwhile. */
  async function claimAround(change: string) {
    await claims.open(job);
    await other.query('BEGIN');
    await other.query('SELECT FROM dispatch_jobs WHERE id = $1 FOR UPDATE', [job.id]);
    const claiming = claim(10);
    await blocked(1);
    await database.query(change);
    await other.query('COMMIT');
    return await claiming;
  }

  describe('when somebody changes a message at that moment', () => {
    it('gives it out once, with what it holds now, and charges the budget for what it gave', async () => {
      const [first, second, third] = await database.insertMessages(3);
      const claimed = await claimAround(`UPDATE messages SET content = 'changed' WHERE id = ${second}`);
      expect(claimed.map(({ id }) => id)).toEqual(expect.arrayContaining([first, third]));
      expect(await charged()).toBe(claimed.length);
      const all = [...claimed, ...(await claim(10))];
      expect(all.map(({ id }) => id).toSorted((a, b) => a - b)).toEqual([first, second, third]);
      expect(all.find(({ id }) => id === second)?.content).toBe('changed');
      expect(await charged()).toBe(3);
      expect(await database.value(`SELECT count(*) FROM messages WHERE claimed_by = $1`, [job.id])).toBe(3);
    });

    it('does not give out what was marked as sent, deleted or claimed by another', async () => {
      const [marked, deleted, taken, left] = await database.insertMessages(4);
      const claimed = await claimAround(`
      WITH gone AS (DELETE FROM messages WHERE id = ${deleted})
      UPDATE messages SET sent_status = id = ${marked}, claimed_by = CASE WHEN id = ${taken} THEN 77 END
      WHERE id IN (${marked}, ${taken})`);
      expect(claimed.map(({ id }) => id)).toEqual([left]);
      expect(await charged()).toBe(1);
      expect(await claim(10)).toEqual([]);
    });
  });

  describe('that are given up', () => {
    beforeEach(() => other.query('BEGIN'));

    it('are given up for good: one that is on its way is waited for and given back, and one that comes later gets nothing', async () => {
      await database.insertMessages(3);
      await claims.open(job);
      // Holds a claim up after it has the job and its messages.
      await database.query(`
      CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END'`);
      await database.query(
        `CREATE TRIGGER hold_up BEFORE UPDATE OF claimed_by ON messages FOR EACH ROW EXECUTE FUNCTION hold_up()`,
      );
      await other.query('SELECT pg_advisory_lock(1)');
      const claiming = claim(3);
      await blocked(1);
      const releasing = claims.release(job);
      await blocked(2);
      await other.query('SELECT pg_advisory_unlock(1)');
      expect(await claiming).toHaveLength(3);
      expect(await releasing).toBe(0);
      expect(await claimedBy(1)).toEqual([]);

      expect(await claim(3)).toEqual([]);
      expect(await claimedBy(1)).toEqual([]);
      expect(await charged()).toBe(0);
    });

    it('leave out what somebody has locked, and give it back when it is free', async () => {
      const ids = await database.insertMessages(4);
      await claims.open(job);
      await claims.claim(job, 4);
      await lock(ids[2]);
      expect(await claims.giveBack(job, ids.slice(1))).toBe(1);
      expect(await claimedBy(1)).toEqual([ids[0], ids[2]]);
      expect(await charged()).toBe(2);
      expect(await claims.release(job)).toBe(1);
      expect(await claimedBy(1)).toEqual([ids[2]]);
      expect(await charged()).toBe(1);
      await other.query('COMMIT');
      expect(await claims.release(job)).toBe(0);
      expect(await claimedBy(1)).toEqual([]);
      expect(await charged()).toBe(0);
    });

    it('are taken over without waiting for what somebody has locked, and that when it is free', async () => {
      const ids = await database.insertMessages(3);
      await claims.open(job);
      await claims.claim(job, 3);
      await lock(ids[1]);
      const next = { id: job.id, fence: 2 };
      await database.query(`UPDATE dispatch_jobs SET fence = 2 WHERE id = $1`, [job.id]);
      const first = await claims.takeOver(next);
      expect(first.taken.map(({ id }) => id)).toEqual([ids[0], ids[2]]);
      expect(first.left).toBe(1);
      await other.query('COMMIT');
      const second = await claims.takeOver(next);
      expect(second).toMatchObject({ taken: [{ id: ids[1], content: 'text 2', attempts: 0 }], left: 0 });
      expect(await claimedBy(2)).toEqual(ids);
    });

    it('leave retries that somebody has locked to the next job', async () => {
      const [locked, free] = await database.insertMessages(2);
      await database.query(`UPDATE messages SET next_attempt_at = now()`);
      await lock(locked);
      await claims.open(job);
      expect((await claim(5)).map(({ id }) => id)).toEqual([free]);
      await other.query('COMMIT');
      expect((await claim(5)).map(({ id }) => id)).toEqual([locked]);
    });

    it('include retries, which stay due where they were', async () => {
      const ids = await database.insertMessages(5);
      const dueAt = `'2020-01-01'::timestamptz + id * interval '1 s'`;
      await database.query(`UPDATE messages SET next_attempt_at = CASE WHEN id > 2 THEN ${dueAt} END`);
      await claims.open(job);
      await claim(5);
      await claims.claim(job, 5, { fresh: 'ended', retries: null, far: false });
      await lock(ids[3]);
      expect(await claims.giveBack(job, [1, 3])).toBe(0);
      const next = { id: job.id, fence: 2 };
      await database.query(`UPDATE dispatch_jobs SET fence = 2 WHERE id = $1`, [job.id]);
      const inherited = await claims.takeOver(next);
      expect([inherited.taken.map(({ id }) => id), inherited.left]).toEqual([[2, 5], 1]);
      expect(await claims.release(next)).toBe(0);
      expect(await claimedBy(1)).toEqual([4]);
      expect(await database.value(`SELECT count(*) FROM messages WHERE next_attempt_at = ${dueAt}`)).toBe(3);
    });
  });

  describe('of fresh messages and retries', () => {
    it('gives each half of the budget while both wait, the longest due first, and the rest to the other', async () => {
      await insert(100, `now() - n * interval '1 s'`);
      await insert(10, 'NULL');
      await beginJob(7);
      const [first, second] = [await claimIds(3), await claimIds(4)];
      const ofSeven = retries([...first, ...second]);
      expect(ofSeven.length).toBe(3 + ((job.id + 1) % 2));
      expect(ofSeven.toSorted((a, b) => a - b)).toEqual([97, 98, 99, 100].slice(-ofSeven.length));
      await beginJob(20);
      const rest = await claims.claim(job, 20);
      expect(rest.messages).toHaveLength(10 + 10 - (7 - ofSeven.length));
      expect(rest.fresh?.next).toBeNull();
      const further = await claims.claim(job, 20, { fresh: 'ended', retries: rest.retries?.next ?? null, far: false });
      expect(retries(further.messages.map(({ id }) => id))).toHaveLength(7 - ofSeven.length);
    });

    it('gives every second job with a budget of one to each', async () => {
      await insert(100, `now()`);
      await insert(10, 'NULL');
      const given: number[] = [];
      for (let n = 0; n < 6; n += 1) {
        await beginJob(1);
        given.push(...(await claimIds(1)));
      }
      expect(given).toHaveLength(6);
      expect(retries(given)).toHaveLength(3);
    });

    it('goes on among retries that are due since one instant, and takes none that is due since it was opened', async () => {
      await insert(100, `'2020-01-01'`);
      await beginJob(100);
      await insert(1, 'clock_timestamp()');
      const first = await claims.claim(job, 60, { fresh: 'ended', retries: null, far: false });
      const second = await claims.claim(job, 60, { fresh: 'ended', retries: first.retries?.next ?? null, far: false });
      expect(first.messages.map(({ id }) => id)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
      expect(second.messages.map(({ id }) => id)).toEqual(Array.from({ length: 40 }, (_, index) => index + 61));
    });
  });

  it('reach the messages behind very many that others have locked, and look at few at a time', async () => {
    await database.query(
      `INSERT INTO messages (recipient_phone, content, next_attempt_at)
       SELECT '+905551111111', 'text', CASE WHEN n % 2 = 0 THEN now() END FROM generate_series(1, 6000) n`,
    );
    await other.query('BEGIN');
    await other.query('SELECT FROM messages WHERE id <= 5990 FOR UPDATE');
    await claims.open(job);
    const first = await claims.claim(job, 5);
    expect(first.messages).toEqual([]);
    expect(first.fresh).toEqual({ claimed: 0, next: 2000 });
    expect(first.retries).toMatchObject({ claimed: 0, next: [expect.any(Number), 2001] });
    const look = { fresh: first.fresh?.next ?? null, retries: first.retries?.next ?? null, far: true };
    const second = await claims.claim(job, 5, look);
    expect(second.messages).toHaveLength(5);
    expect(second.messages.every(({ id }) => id > 5990)).toBe(true);
  });

  it('of fresh messages alone keep to the budget, pass over locked ones and end like all others', async () => {
    const ids = await database.insertMessages(300);
    await claims.open(job);
    await other.query('BEGIN');
    await other.query('SELECT FROM messages WHERE id <= $1 FOR UPDATE', [ids[199]]);
    const look = { retries: 'ended', far: false } as const;
    const locked = await claims.claim(job, 3, { ...look, fresh: null });
    expect(locked).toEqual({
      messages: [],
      setAside: [],
      fresh: { claimed: 0, next: ids[103] },
      retries: null,
      spent: false,
    });
    const free = await claims.claim(job, 9, { ...look, fresh: ids[150] ?? 0 });
    expect(free.messages.map(({ id }) => id)).toEqual(ids.slice(200, 205));
    expect(free.fresh).toEqual({ claimed: 5, next: ids[205] });
    expect((await claims.claim(job, 9, { ...look, fresh: null })).spent).toBe(true);
    expect(await charged()).toBe(5);
    expect(await claims.release(job)).toBe(0);
    expect([await claimedBy(1), await charged()]).toEqual([[], 0]);
  });

  it('take ids below 1 like all others', async () => {
    const lowest = -(2 ** 40);
    await database.query(
      `INSERT INTO messages (id, recipient_phone, content) SELECT n, '+905551111111', 'text'
       FROM unnest(ARRAY[${lowest}, -1, 0, 1]) n`,
    );
    await claims.open(job);
    expect((await claim(3)).map(({ id }) => id)).toEqual([lowest, -1, 0]);
    expect(await claims.release(job)).toBe(0);
    expect(await claimedBy(1)).toEqual([]);
  });

  it('pass over no message to which a row of another table is being tied', async () => {
    const ids = await database.insertMessages(3);
    await database.query('CREATE TABLE bills (message_id BIGINT REFERENCES messages (id))');
    const billing = await database.connect();
    await billing.query('BEGIN');
    await billing.query('INSERT INTO bills VALUES ($1)', [ids[0]]);
    await claims.open(job);
    expect((await claim(3)).map(({ id }) => id)).toEqual(ids);
    await billing.end();
  });

  describe('of a table with others below it', () => {
    it('touch nothing that was sent in a table that inherits', async () => {
      await database.query(`CREATE TABLE messages_archive () INHERITS (messages)`);
      await database.query(`INSERT INTO messages_archive (id, recipient_phone, content, sent_status, sent_at)
        SELECT 1000 + n, '+905551111111', 'text', TRUE, '2025-01-01' FROM generate_series(1, 4) n`);
      const ids = await database.insertMessages(4);
      expect(await useAll()).toEqual({ claimed: ids, taken: ids.slice(1) });
      expect(await sentAndTouched()).toEqual([]);
      expect(await charged()).toBe(0);
    });

    it('take no row of such a table whose id another one has', async () => {
      const [first, second] = await database.insertMessages(2);
      await database.query(`CREATE TABLE messages_archive () INHERITS (messages);
        CREATE TABLE messages_older () INHERITS (messages_archive)`);
      await database.query(`INSERT INTO messages_archive (id, recipient_phone, content)
        VALUES (${first}, '+1', 'another one'), (${second}, '+1', 'another one'), (50, '+1', 'another one')`);
      await database.query(
        `INSERT INTO messages_older (id, recipient_phone, content) VALUES (51, '+1', 'x'), (50, '+1', 'x')`,
      );
      await claims.open(job);
      expect((await claim(10)).map(({ id, recipientPhone }) => [id, recipientPhone.length])).toEqual([
        [first, 14],
        [second, 14],
        [51, 2],
      ]);
      expect(
        await database.query(`SELECT content FROM messages WHERE claimed_by IS NOT NULL AND content = 'another one'`),
      ).toEqual([]);
    });

    it('touch nothing that was sent in another partition, and send from every one', async () => {
      await database.query(`ALTER TABLE messages RENAME TO messages_old`);
      await database.query(`CREATE TABLE messages (LIKE messages_old INCLUDING DEFAULTS) PARTITION BY RANGE (id)`);
      await database.query(`ALTER TABLE messages ATTACH PARTITION messages_old FOR VALUES FROM (MINVALUE) TO (100)`);
      await database.query(`CREATE TABLE messages_new PARTITION OF messages FOR VALUES FROM (100) TO (MAXVALUE)`);
      await database.query(`INSERT INTO messages (id, recipient_phone, content, sent_status, sent_at)
        SELECT n, '+905551111111', 'text', n <> 5, CASE WHEN n <> 5 THEN '2025-01-01'::timestamp END
        FROM generate_series(1, 5) n`);
      await database.query(`INSERT INTO messages (id, recipient_phone, content)
        SELECT 100 + n, '+905551111111', 'text' FROM generate_series(1, 3) n`);
      expect(await useAll()).toEqual({ claimed: [5, 101, 102, 103], taken: [101, 102, 103] });
      expect(await sentAndTouched()).toEqual([]);
    });
  });

  it('never change a message that was sent, parked or claimed, whatever is found at its place', async () => {
    const [marked, parked, taken, left] = await database.insertMessages(4);
    const claimed = await claimAround(`
      UPDATE messages SET sent_status = id = ${marked}, parked_as = CASE WHEN id = ${parked} THEN 'cancelled' END,
        claimed_by = CASE WHEN id = ${taken} THEN 77 END
      WHERE id <> ${left}`);
    expect(claimed.map(({ id }) => id)).toEqual([left]);
  });
});

describe('whether there is work', () => {
  let migrated: MigratedDatabase;
  let database: TestDatabase;

  beforeAll(async () => {
    migrated = await createMigratedDatabase();
    ({ database } = migrated);
    await database.query('ALTER TABLE messages SET (autovacuum_enabled = off)');
  });
  beforeEach(() => database.query('TRUNCATE messages RESTART IDENTITY'));
  afterAll(() => migrated.drop());

  let work: SendableLook;
  beforeEach(() => {
    work = new SendableLook();
  });
  /** A look as the scheduler takes it. */
  const workExists = async () => work.exists(await database.value(`SELECT ${work.expression}`, [...work.values()]));

  const explain = async (options = ''): Promise<Record<string, unknown>[]> => {
    // On the service's own connections, which read by index.
    const { rows } = await migrated.dataSource.dispatchPool.query<{
      'QUERY PLAN': { Plan: Record<string, unknown> }[];
    }>(`EXPLAIN (${options}FORMAT JSON) SELECT ${work.expression}`, [...work.values()]);
    const [found] = rows;
    return (found?.['QUERY PLAN'] ?? []).map(({ Plan }) => Plan);
  };

  it('is told by the messages that may be sent now, and by pauses that are over', async () => {
    expect(await workExists()).toBe(false);
    const [id] = await database.insertMessages(1);
    expect(await workExists()).toBe(true);
    for (const [change, expected] of [
      [`next_attempt_at = now() + interval '1 minute'`, false],
      [`next_attempt_at = now() - interval '1 second'`, true],
      [`parked_as = 'failed'`, false],
      [`parked_as = NULL, sent_status = TRUE`, false],
      [`sent_status = FALSE, next_attempt_at = NULL`, true],
    ] as const) {
      await database.query(`UPDATE messages SET ${change} WHERE id = ${id}`);
      expect([change, await workExists()]).toEqual([change, expected]);
    }
  });

  it.each([
    ['a backlog that is gone', 'UPDATE messages SET sent_status = TRUE'],
    ['a backlog at the end of a long history', 'UPDATE messages SET sent_status = TRUE WHERE id % 20 > 0 OR id < 9000'],
  ])('is told without scanning the table while the statistics know of %s', async (_what, change) => {
    await database.insertMessages(10_000);
    await database.query('ANALYZE messages');
    await database.query(change);
    const plan = JSON.stringify(await explain());
    expect(plan).toMatch(/"Index Name":"idx_messages_sendable".*"Index Name":"idx_messages_retry"/);
    expect(plan).not.toMatch(/Seq Scan|Bitmap|"Node Type":"Sort"|"Filter"/);
  });

  const buffers = async () => {
    const [plan] = await explain('ANALYZE, BUFFERS, ');
    return Number(plan?.['Shared Hit Blocks']) + Number(plan?.['Shared Read Blocks']);
  };
  const sendAll = async () => await database.query(`UPDATE messages SET sent_status = TRUE WHERE claimed_by IS NULL`);
  const findsNothingFrom = async (id: number) =>
    await eventually(async () => {
      expect(await workExists()).toBe(false);
      expect(work.freshFrom).toBeGreaterThan(id);
    }, 20_000);

  let other: Client;
  beforeEach(async () => {
    other = await database.connect();
  });
  afterEach(() => other.end());

  it('is found wherever its id lies, while a look from the start is cheap', async () => {
    work = new SendableLook(60_000);
    await database.insertMessages(3_000);
    await sendAll();
    await database.query(`INSERT INTO messages (id, recipient_phone, content) VALUES (1000000, '+905551111111', 'x')`);
    expect(await workExists()).toBe(true);
    await sendAll();
    for (let n = 0; n < 20; n += 1) expect(await workExists()).toBe(false);
    // An outlier, a block of ids that a sequence gave out long ago, and a mark that was taken back by hand.
    for (const id of [4_000, 5]) {
      await database.query(
        `INSERT INTO messages (id, recipient_phone, content) VALUES (${id}, '+905551111111', 'x')
         ON CONFLICT (id) DO UPDATE SET sent_status = FALSE`,
      );
      expect(await workExists()).toBe(true);
      await sendAll();
      expect(await workExists()).toBe(false);
    }
  });

  describe('and from where on it is looked for, where a look from the start is dear', () => {
    beforeEach(() => {
      work = new SendableLook(0);
    });

    it('passes over what was sent, for as long as an old snapshot keeps it in the index', async () => {
      await database.insertMessages(20_000);
      await database.query(`UPDATE messages SET next_attempt_at = '2020-01-01' WHERE id % 2 = 0`);
      await other.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      await other.query('SELECT count(*) FROM messages');
      await sendAll();
      const fromStart = await buffers();
      await findsNothingFrom(15_000);
      expect(fromStart).toBeGreaterThan(1_000);
      // Once a second one looks from the start.
      await eventually(async () => expect(await buffers()).toBeLessThan(fromStart / 4));
    });

    it('still sees what a transaction commits late, whatever was inserted and sent after it', async () => {
      await database.insertMessages(5);
      await sendAll();
      await other.query('BEGIN');
      await other.query(
        `INSERT INTO messages (recipient_phone, content) SELECT '+905551111111', 'late' FROM generate_series(1, 10)`,
      );
      for (let n = 0; n < 40; n += 1) {
        await database.insertMessages(500);
        await sendAll();
        expect(await workExists()).toBe(false);
      }
      await other.query('COMMIT');
      await eventually(async () => expect(await workExists()).toBe(true));
      await sendAll();
      await findsNothingFrom(15_000);
    });

    it('sees what an operator, wherever, sends again, and a table that was emptied', async () => {
      await database.insertMessages(5_000);
      await database.query(`UPDATE messages SET parked_as = 'failed'`);
      await findsNothingFrom(3_000);
      await database.query(`
        WITH again AS (UPDATE messages SET parked_as = NULL WHERE id = 7)
        INSERT INTO operator_actions (actor, action, message_id) VALUES ('somebody', 'retry', 7)`);
      expect(await workExists()).toBe(true);
      expect(work.freshFrom).toBe(7);
      await sendAll();
      await findsNothingFrom(3_000);

      await database.query(`TRUNCATE messages RESTART IDENTITY`);
      expect(await workExists()).toBe(false);
      await database.insertMessages(1);
      expect(await workExists()).toBe(true);
    });
  });
});

/** Of messages that were inserted as retries first, a hundred of them. */
const retries = (ids: readonly number[]) => ids.filter((id) => id <= 100);
