import { Logger } from '@nestjs/common';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import { accept, Receiver } from './support/receiver.js';
import { SlotRunner } from './support/slot-runner.js';
import type { TestDatabase } from './support/test-database.js';

Logger.overrideLogger(false);
jest.setTimeout(90_000);

describe('a slot sends the good ones', () => {
  let migrated: MigratedDatabase;
  let database: TestDatabase;
  let receiver: Receiver;
  let runner: SlotRunner;

  beforeEach(async () => {
    receiver = await Receiver.start();
    receiver.behave = accept;
    migrated = await createMigratedDatabase();
    ({ database } = migrated);
    runner = new SlotRunner(migrated, { webhook_url: receiver.url });
    await runner.begin();
  });
  afterEach(async () => {
    await runner.end();
    await receiver.stop();
    await migrated.drop();
  });

  const guard = async (acts: readonly string[], when = 'new.claimed_by IS NOT NULL', kind = 'BEFORE UPDATE') => {
    const name = kind === 'BEFORE UPDATE' ? 'guard' : 'guard_after';
    const branches = acts.map((act, index) => `IF new.id = ${index + 1} THEN ${act}; END IF;`);
    await database.query(`CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF ${when} THEN ${branches.join(' ')} END IF; RETURN new; END $$`);
    const deferred = kind.startsWith('AFTER') ? 'CONSTRAINT' : '';
    const mode = deferred === '' ? '' : 'DEFERRABLE INITIALLY DEFERRED';
    await database.query(
      `CREATE ${deferred} TRIGGER ${name} ${kind} ON messages ${mode} FOR EACH ROW EXECUTE FUNCTION ${name}()`,
    );
  };
  const sent = async () =>
    (await database.query<{ id: number }>(`SELECT id FROM messages WHERE sent_status ORDER BY id`)).map(({ id }) => id);
  const kept = async () =>
    (
      await database.query<{ message_id: number; sqlstate: string | null }>(
        `SELECT message_id, sqlstate FROM unwritten_outcomes ORDER BY message_id`,
      )
    ).map(({ message_id, sqlstate }) => [message_id, sqlstate]);

  it('beside claims that are refused in whatever way', async () => {
    await database.insertMessages(20);
    await guard([
      `ASSERT FALSE, 'no'`,
      `RAISE SQLSTATE '57014'`,
      `RAISE SQLSTATE 'MD000'`,
      `RAISE SQLSTATE '08001'`,
      `RAISE SQLSTATE '40P01'`,
      `RAISE SQLSTATE '55P03'`,
      `new.claimed_by := NULL`,
      `RETURN NULL`,
      // Nothing that tries it sees it: only the claims themselves meet it.
      `IF current_query() NOT LIKE '%dispatcher_try_claims%' THEN RAISE 'no'; END IF`,
    ]);
    await guard(
      Array.from({ length: 10 }, (_, index) => (index === 9 ? `RAISE 'no'` : 'NULL')),
      undefined,
      'AFTER UPDATE',
    );
    expect(await runner.slot(10)).toMatchObject({ sent: 10, note: null });
    expect(await sent()).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    expect(await kept()).toEqual([
      [1, 'P0004'],
      [2, '57014'],
      [3, 'MD000'],
      [4, '08001'],
      [5, '40P01'],
      [6, '55P03'],
      [7, null],
      [8, null],
      [9, 'P0001'],
      [10, 'P0001'],
    ]);
    expect(receiver.ledger).toHaveLength(10);
  });

  it('beside claims whose trigger waits for a lock or takes long, and those when it does not any more', async () => {
    await database.query(`CREATE TABLE customers (id int PRIMARY KEY, n int DEFAULT 0)`);
    await database.query(`INSERT INTO customers VALUES (1), (2)`);
    await database.insertMessages(20);
    const busy = `UPDATE customers SET n = n + 1 WHERE id = 1`;
    await guard([busy, busy, 'PERFORM pg_sleep(20)', busy]);
    const other = await database.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM customers WHERE id = 1 FOR UPDATE');
      const begunAt = performance.now();
      expect(await runner.slot(10)).toMatchObject({ sent: 10, note: null });
      // One statement that was given up after 8 s, and the search.
      expect(performance.now() - begunAt).toBeLessThan(20_000);
      expect(await sent()).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
      expect(await kept()).toEqual([
        [1, '55P03'],
        [2, '55P03'],
        [3, '57014'],
        [4, '55P03'],
      ]);
    } finally {
      await other.end();
    }
    await database.query(`DROP TRIGGER guard ON messages`);
    await database.query(`UPDATE unwritten_outcomes SET retry_at = now()`);
    await runner.retry.turn();
    expect(await kept()).toEqual([]);
    // They were passed over, and are met beside the first of these slots.
    await runner.slot(10);
    await runner.slot(10);
    expect(await sent()).toHaveLength(20);
  });

  it('beside a refused retry behind more than a thousand that others have locked', async () => {
    await database.insertMessages(1_210);
    await database.query(
      `UPDATE messages SET next_attempt_at = now() - interval '1 h' + id * interval '1 s' WHERE id <= 1205`,
    );
    await database.query(`UPDATE messages SET content = 'legacy' WHERE id = 1200`);
    await database.query(`ALTER TABLE messages ADD CONSTRAINT no_legacy CHECK (content <> 'legacy') NOT VALID`);
    const other = await database.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM messages WHERE id < 1200 FOR UPDATE');
      await runner.slot(20);
      expect(await kept()).toEqual([[1200, '23514']]);
      expect(await sent()).toEqual([1201, 1202, 1203, 1204, 1205, 1206, 1207, 1208, 1209, 1210]);
    } finally {
      await other.end();
    }
  });

  it('and marks them beside marks whose trigger waits for a lock, without waiting for each one', async () => {
    await database.query(`CREATE TABLE customers (id int PRIMARY KEY, n int DEFAULT 0)`);
    await database.query(`INSERT INTO customers VALUES (1)`);
    await database.insertMessages(60);
    await guard(
      Array.from({ length: 60 }, (_, index) =>
        index % 3 === 0 ? `UPDATE customers SET n = n + 1 WHERE id = 1` : 'NULL',
      ),
      'new.sent_status',
    );
    const other = await database.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM customers WHERE id = 1 FOR UPDATE');
      const begunAt = performance.now();
      expect(await runner.slot(60)).toMatchObject({ sent: 60, note: null });
      expect(performance.now() - begunAt).toBeLessThan(5_000);
      expect(await sent()).toHaveLength(40);
      expect(await kept()).toHaveLength(20);
    } finally {
      await other.end();
    }
    await database.query(`UPDATE unwritten_outcomes SET retry_at = now()`);
    await runner.retry.turn();
    expect(await sent()).toHaveLength(60);
    expect(receiver.ledger).toHaveLength(60);
  });

  it('and takes the claims of jobs that are gone, beside one that PostgreSQL does not let it take and one that is slow', async () => {
    await database.query(`CREATE TABLE customers (id int PRIMARY KEY, n int DEFAULT 0)`);
    await database.query(`INSERT INTO customers VALUES (1)`);
    await database.insertMessages(40);
    await database.query(`UPDATE messages SET claimed_by = 4711, claim_fence = 3`);
    await guard(
      [`RAISE 'no'`, `UPDATE customers SET n = n + 1 WHERE id = 1`],
      'new.claim_fence IS DISTINCT FROM old.claim_fence',
    );
    const other = await database.connect();
    try {
      await other.query('BEGIN');
      await other.query('SELECT FROM customers WHERE id = 1 FOR UPDATE');
      for (let slots = 0; slots < 8 && (await sent()).length < 38; slots += 1) await runner.slot(40);
      expect(await sent()).toEqual(Array.from({ length: 38 }, (_, index) => index + 3));
      expect(await kept()).toEqual([
        [1, 'P0001'],
        [2, '55P03'],
      ]);
    } finally {
      await other.end();
    }
    await database.query(`DROP TRIGGER guard ON messages`);
    await database.query(`UPDATE unwritten_outcomes SET retry_at = now()`);
    await runner.retry.turn();
    await runner.slot(10);
    expect(await sent()).toHaveLength(40);
    expect(receiver.ledger).toHaveLength(40);
  });

  /** A trigger that does this where a message whose content is `bad` is claimed. */
  const guardBad = async (act: string) => {
    await database.query(`CREATE FUNCTION guard_bad() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF new.content = 'bad' AND new.claimed_by IS NOT NULL THEN ${act}; END IF; RETURN new; END $$`);
    await database.query(
      `CREATE TRIGGER guard_bad BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION guard_bad()`,
    );
  };
  const insert = async (count: number, content: string, isRetry = false) =>
    await database.query(
      `INSERT INTO messages (recipient_phone, content, attempts, next_attempt_at)
       SELECT '+905551111111', $2, $3::int, CASE WHEN $3 = 1 THEN now() - interval '1 h' + n * interval '1 ms' END
       FROM generate_series(1, $1) AS n`,
      [count, content, isRetry ? 1 : 0],
    );
  const keptCount = async () => await database.value<number>(`SELECT count(*)::int FROM unwritten_outcomes`);

  describe('behind very many that are refused', () => {
    it('in the first slot, and the others go through the refused ones in bulk', async () => {
      await insert(100_000, 'bad');
      await insert(6, 'good');
      await guardBad(`RAISE 'no'`);
      const begunAt = performance.now();
      expect(await runner.slot(2)).toMatchObject({ sent: 2, note: null });
      expect(performance.now() - begunAt).toBeLessThan(10_000);
      const before = await keptCount();
      expect(before).toBeLessThan(20_000);
      expect(await runner.slot(2)).toMatchObject({ sent: 2, note: null });
      expect(await keptCount()).toBeGreaterThan(before + 500);
      expect(await runner.slot(2)).toMatchObject({ sent: 2, note: null });
    });

    it('of both kinds, also those between two stretches of refused ones, within a few slots', async () => {
      for (const isRetry of [false, true]) {
        await insert(1_500, 'bad', isRetry);
        await insert(2, 'good', isRetry);
        await insert(1_500, 'bad', isRetry);
        await insert(2, 'good', isRetry);
        await database.query(
          `UPDATE messages SET next_attempt_at = now() - interval '1 h' + id * interval '1 ms' WHERE attempts = 1`,
        );
      }
      await guardBad(`RAISE 'no'`);
      let slots = 0;
      for (; slots < 12 && (await sent()).length < 8; slots += 1) await runner.slot(4);
      expect(await sent()).toHaveLength(8);
      expect(slots).toBeLessThan(12);
      expect(await database.value(`SELECT count(*)::int FROM messages WHERE sent_status AND content = 'bad'`)).toBe(0);
    });

    it('whose claims are put back', async () => {
      await insert(5_000, 'bad');
      await insert(2, 'good');
      await guardBad(`new.claimed_by := NULL`);
      expect(await runner.slot(2)).toMatchObject({ sent: 2, note: null });
      expect(receiver.ledger).toHaveLength(2);
    });

    it('that take longer than a statement may', async () => {
      await insert(40, 'bad');
      await insert(2, 'good');
      await guardBad(`PERFORM pg_sleep(20)`);
      const begunAt = performance.now();
      expect(await runner.slot(2)).toMatchObject({ sent: 2, note: null });
      // The claim that was given up after 8 s, the first that was found after 1.5 s, and a few halves.
      expect(performance.now() - begunAt).toBeLessThan(16_000);
    });
  });
});
