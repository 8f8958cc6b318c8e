import type { Client } from 'pg';
import { Database } from '../src/database.js';
import { MessageClaims } from '../src/messages/message-claims.js';
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

  /** Has a claim take its snapshot, changes messages, and lets the claim go on: it waits for the job's row meanwhile. */
  async function claimAround(change: string) {
    await claims.open(job);
    await other.query('BEGIN');
    await other.query('SELECT FROM dispatch_jobs WHERE id = $1 FOR UPDATE', [job.id]);
    const claiming = claims.claim(job, 10);
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
      const all = [...claimed, ...(await claims.claim(job, 10))];
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
      expect(await claims.claim(job, 10)).toEqual([]);
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
      const claiming = claims.claim(job, 3);
      await blocked(1);
      const releasing = claims.release(job);
      await blocked(2);
      await other.query('SELECT pg_advisory_unlock(1)');
      expect(await claiming).toHaveLength(3);
      expect(await releasing).toBe(0);
      expect(await claimedBy(1)).toEqual([]);

      expect(await claims.claim(job, 3)).toEqual([]);
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

    it('leave the pauses of locked messages to the next job', async () => {
      const [locked, free] = await database.insertMessages(2);
      await database.query(`UPDATE messages SET next_attempt_at = now()`);
      await lock(locked);
      await claims.open(job);
      expect((await claims.claim(job, 5)).map(({ id }) => id)).toEqual([free]);
      await other.query('COMMIT');
      await claims.open(job);
      expect((await claims.claim(job, 5)).map(({ id }) => id)).toEqual([locked]);
    });
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
  beforeEach(() => database.query('TRUNCATE messages'));
  afterAll(() => migrated.drop());

  const workExists = async () => await database.value<boolean>(`SELECT ${MessageClaims.WORK_EXISTS}`);

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
    const plan = JSON.stringify(await database.query(`EXPLAIN (FORMAT JSON) SELECT ${MessageClaims.WORK_EXISTS}`));
    expect(plan).toMatch(/"Index Name":"idx_messages_sendable".*"Index Name":"idx_messages_retry"/);
    expect(plan).not.toMatch(/Seq Scan|Bitmap|"Filter"/);
  });
});
