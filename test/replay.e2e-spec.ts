import { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { TestDatabase } from './support/test-database.js';

const SLICE_ROWS = 5_000;

describe('a replay of very many messages', () => {
  let database: TestDatabase;
  let app: DispatcherProcess;
  const start = async () =>
    await DispatcherProcess.start({ env: { APP_DB_URL: database.url }, live: { auto_sending: false } });

  beforeEach(async () => {
    database = await TestDatabase.create();
    app = await start();
  });
  afterEach(async () => {
    await app.dispose();
    await database.drop();
  });

  const insertParked = async (count: number, reason = 'given up after 6 attempts: HTTP 500') =>
    await database.query(
      `INSERT INTO messages (recipient_phone, content, parked_as, parked_reason, parked_at, attempts)
       SELECT '+905550000001', 'parked', 'failed', $2, clock_timestamp(), 6 FROM generate_series(1, $1::int)`,
      [count, reason],
    );
  const replay = async (body: object = {}) => await app.post('/messages/replay', { state: 'failed', ...body });
  const waiting = async () => await database.value(`SELECT count(*) FROM messages WHERE parked_as IS NULL`);
  const noted = async () =>
    (
      await database.query<{ count: number }>(
        `SELECT (detail->>'count')::int AS count FROM operator_actions WHERE action = 'replay' ORDER BY id`,
      )
    ).map(({ count }) => count);

  /** Begins a replay that cannot get past its second slice before `letGo`, and waits until the first one is done. */
  async function stuckInSecondSlice() {
    const lock = await database.connect();
    await lock.query('SELECT pg_advisory_lock(4711)');
    const [second] = await database.query<{ id: number }>(
      `SELECT id FROM messages ORDER BY id OFFSET ${SLICE_ROWS + 10} LIMIT 1`,
    );
    await database.query(`
      CREATE OR REPLACE FUNCTION wait_for_test() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN new; END';
      CREATE TRIGGER waits BEFORE UPDATE ON messages FOR EACH ROW WHEN (old.id = ${second?.id})
        EXECUTE FUNCTION wait_for_test()`);
    const reply = replay({ by: 'ali' });
    reply.catch(() => undefined);
    await eventually(async () => expect(await waiting()).toBe(SLICE_ROWS), 30_000);
    return { reply, letGo: () => lock.end() };
  }

  it('counts all, sends all again in short transactions, and is noted once with the total', async () => {
    const count = 300_000;
    await insertParked(count);
    await insertParked(3, 'the receiver refused the message: HTTP 422');
    const filter = { reason_contains: 'HTTP 500' };
    expect((await replay({ ...filter, dry_run: true })).json()).toMatchObject({ count, dry_run: true, complete: true });
    expect([await waiting(), await noted()]).toEqual([0, []]);

    let replayed = 0;
    for (let complete = false; !complete;) {
      const reply = (await replay(filter)).json<{ count: number; complete: boolean }>();
      replayed += reply.count;
      ({ complete } = reply);
    }
    expect([replayed, await waiting()]).toEqual([count, count]);
    expect((await noted()).reduce((sum, one) => sum + one, 0)).toBe(count);
    // The rows that one transaction wrote have one xmin.
    const largest = await database.value(
      `SELECT max(rows) FROM (SELECT count(*) AS rows FROM messages WHERE parked_as IS NULL GROUP BY xmin::text) AS written`,
    );
    expect(largest).toBe(SLICE_ROWS);

    const notes = await noted();
    expect((await replay(filter)).json()).toMatchObject({ count: 0, dry_run: false, complete: true });
    expect(await noted()).toEqual(notes);
  });

  it('sends each message again once when two replicas are asked at once', async () => {
    await insertParked(20_000);
    const replies = await Promise.all([replay(), replay(), replay()]);
    const counts = replies.map((reply) => reply.json<{ count: number }>().count);
    expect(counts.reduce((sum, one) => sum + one, 0)).toBe(20_000);
    expect(ascending(await noted())).toEqual(ascending(counts.filter((one) => one > 0)));
  });

  it('passes over what PostgreSQL refuses, puts back, keeps or has locked, and tells it', async () => {
    await insertParked(6_000);
    await database.query(`
      CREATE FUNCTION company_rule() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
        IF old.id = 7 OR old.id = 5500 THEN RAISE EXCEPTION 'never again'; END IF;
        IF old.id = 9 THEN RETURN old; END IF;
        RETURN CASE WHEN old.id <> 11 THEN new END;
      END$$;
      CREATE TRIGGER company BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION company_rule()`);
    const lock = await database.connect();
    await lock.query('BEGIN');
    await lock.query('SELECT FROM messages WHERE id = 13 FOR UPDATE');
    const kept = { refused: 4, refused_ids: [7, 9, 11, 5_500] };
    const done = { dry_run: false, complete: true, next_after: null, ...kept };
    expect((await replay()).json()).toEqual({ count: 5_995, locked: 1, ...done });
    expect(await waiting()).toBe(5_995);
    expect(await database.value(`SELECT detail - 'state' FROM operator_actions`)).toEqual({
      count: 5_995,
      refused: 4,
      locked: 1,
    });
    await lock.end();
    expect((await replay()).json()).toEqual({ count: 1, locked: 0, ...done });
    expect((await replay({ after: 5_000 })).json()).toMatchObject({ count: 0, refused: 1, refused_ids: [5_500] });
  });

  it('counts nothing that a later trigger parks again, alone or with many', async () => {
    await insertParked(100);
    await database.query(`
      CREATE FUNCTION put_back() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
        UPDATE messages SET parked_as = old.parked_as, parked_at = old.parked_at WHERE id = old.id AND parked_as IS NULL;
        RETURN NULL; END$$;
      CREATE TRIGGER at_once AFTER UPDATE ON messages FOR EACH ROW WHEN (old.id % 10 = 0) EXECUTE FUNCTION put_back();
      CREATE CONSTRAINT TRIGGER deferred AFTER UPDATE ON messages DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (old.id = 5) EXECUTE FUNCTION put_back()`);
    for (const id of [5, 10]) {
      const reply = await app.post(`/messages/${id}/retry`);
      expect([reply.status, reply.json()]).toMatchObject([422, { code: 'messages.kept_as_it_was' }]);
    }
    expect((await replay()).json()).toMatchObject({ count: 89, refused: 11, complete: true });
    expect([await waiting(), await noted()]).toEqual([89, [89]]);
  });

  it('leaves alone what is parked after it began', async () => {
    await insertParked(12_000);
    const { reply, letGo } = await stuckInSecondSlice();
    await insertParked(7);
    await letGo();
    expect((await reply).json()).toMatchObject({ count: 12_000, dry_run: false, complete: true });
    expect([await waiting(), await noted()]).toEqual([12_000, [12_000]]);
    expect((await replay({ dry_run: true })).json()).toMatchObject({ count: 7 });
  });

  it('has noted what it did when the process is killed in the middle, and is finished by the same call', async () => {
    await insertParked(12_000);
    const { letGo } = await stuckInSecondSlice();
    await app.dispose();
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'message-dispatcher'`,
    );
    await letGo();
    expect(await noted()).toEqual([SLICE_ROWS]);

    app = await start();
    expect((await replay()).json()).toMatchObject({ count: 7_000, dry_run: false, complete: true });
    expect([await waiting(), await noted()]).toEqual([12_000, [SLICE_ROWS, 7_000]]);
  });

  it('answers how far it came when the process is told to end', async () => {
    await insertParked(12_000);
    const { reply, letGo } = await stuckInSecondSlice();
    const ended = app.end('SIGTERM');
    // The port closes after everybody has been told to end.
    await eventually(async () => await expect(app.get('/health/live')).rejects.toThrow('fetch failed'));
    await letGo();
    expect((await reply).json()).toMatchObject({ count: 2 * SLICE_ROWS, dry_run: false, complete: false });
    expect(await ended).toBe(0);
    expect(await noted()).toEqual([2 * SLICE_ROWS]);
  });
});

function ascending(numbers: readonly number[]): number[] {
  return numbers.toSorted((a, b) => a - b);
}
