import { MemoryConfigSource } from '../src/config/memory-config.source.js';
import { LiveConfig } from '../src/config/live-config.js';
import { Database } from '../src/database.js';
import { ClockFollower } from '../src/dispatch/clock-follower.js';
import type { OutcomeRetry } from '../src/dispatch/outcome-retry.js';
import { SetBackPauses } from '../src/messages/set-back-pauses.js';
import { ScheduleStore } from '../src/scheduler/schedule-store.js';
import { eventually } from './support/eventually.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';

const HOUR_MS = 3_600_000;

describe('pauses, after the clock was set back by an hour', () => {
  let migrated: MigratedDatabase;
  let store: ScheduleStore;
  let pauses: SetBackPauses;
  let follower: ClockFollower;

  beforeEach(async () => {
    migrated = await createMigratedDatabase();
    const database = new Database(migrated.dataSource);
    store = new ScheduleStore(database);
    pauses = new SetBackPauses(database);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all that is used of it
    const retry = { jobBegins: () => undefined } as unknown as OutcomeRetry;
    follower = new ClockFollower(pauses, new LiveConfig([new MemoryConfigSource({})]), retry);
  });
  afterEach(async () => {
    await follower.beforeApplicationShutdown();
    await migrated.drop();
  });

  /** Messages whose pause ends so long from now; `attempt` null: none was made, else how long ago it began. */
  const pausing = async (count: number, endsInS: number, attemptAgoS: number | null) => {
    const [first] = await migrated.database.query<{ id: number }>(
      `WITH message AS (
         INSERT INTO messages (recipient_phone, content, attempts, next_attempt_at)
         SELECT '+905551111111', 'pausing', ($3::float8 IS NOT NULL)::int, now() + $2 * interval '1 s'
         FROM generate_series(1, $1) RETURNING id
       ), attempt AS (
         INSERT INTO delivery_attempts (message_id, job_id, number, started_at, duration_ms, outcome)
         SELECT id, 1, 1, now() - $3 * interval '1 s', 5, 'unavailable' FROM message WHERE $3 IS NOT NULL
       )
       SELECT min(id) AS id FROM message`,
      [count, endsInS, attemptAgoS],
    );
    return first?.id ?? 0;
  };
  const setBack = async () => {
    const { version } = await store.observe();
    expect(await store.shiftClock(version, HOUR_MS, 10_000, 1_000)).toBe(true);
  };
  const endsInS = async (id: number) =>
    await migrated.database.value<number>(
      `SELECT extract(epoch FROM next_attempt_at - now())::float8 FROM messages WHERE id = $1`,
      [id],
    );
  const left = async () => await migrated.database.value<number>('SELECT count(*)::int FROM clock_set_backs');

  it('end as they were to, but for those that the clock as it is now has timed and those that somebody set', async () => {
    const before = await pausing(1_200, 3_600 + 30, -3_599);
    const long = await pausing(1, 3_600 + 3_000, -3_590);
    const unlogged = await pausing(1, 3_600 + 40, -3_599);
    await migrated.database.query('DELETE FROM delivery_attempts WHERE message_id = $1', [unlogged]);
    const since = await pausing(1, 3_500, 0);
    const byHand = await pausing(1, 3_700, null);
    const farAway = await pausing(1, 86_400, -3_599);
    await migrated.database.query(
      `INSERT INTO unwritten_outcomes (message_id, known_at, reason, retry_at) VALUES (-1, now(), 'kept', now() + interval '1 h')`,
    );
    await setBack();
    follower.follow();
    await eventually(async () => expect(await left()).toBe(0));
    await eventually(async () =>
      expect(
        await migrated.database.value(`SELECT count(*)::int FROM unwritten_outcomes WHERE retry_at <= now()`),
      ).toBe(1),
    );
    expect(await endsInS(before)).toBeLessThanOrEqual(30);
    expect(await endsInS(before + 1_199)).toBeLessThanOrEqual(30);
    expect(await endsInS(long)).toBeGreaterThan(2_900);
    expect(await endsInS(long)).toBeLessThanOrEqual(3_000);
    expect(await endsInS(unlogged)).toBeLessThanOrEqual(40);
    expect(await endsInS(since)).toBeGreaterThan(3_400);
    expect(await endsInS(byHand)).toBeGreaterThan(3_600);
    expect(await endsInS(farAway)).toBeGreaterThan(86_300);
  });

  it('are shortened once, in batches that several replicas share, and past one that PostgreSQL refuses', async () => {
    const first = await pausing(300, 3_600 + 1_800, -3_599);
    const refused = first + 150;
    await migrated.database.query(
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF NEW.id = ${refused} THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$`,
    );
    await migrated.database.query(
      `CREATE TRIGGER refuse BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION refuse()`,
    );
    await setBack();
    expect(await pauses.shorten(100, HOUR_MS, false)).toEqual({
      left: true,
      setBackMs: HOUR_MS,
      seen: 100,
      shortened: 100,
    });
    follower.follow();
    await eventually(async () => expect(await left()).toBe(0));
    const [ends] = await migrated.database.query<{ shortest: number; longest: number; stayed: number[] }>(
      `SELECT min(s) AS shortest, max(s) FILTER (WHERE s < 3600) AS longest, array_agg(id::int) FILTER (WHERE s > 3600) AS stayed
       FROM (SELECT id, extract(epoch FROM next_attempt_at - now())::float8 AS s FROM messages) AS pause`,
    );
    expect(ends?.shortest).toBeGreaterThan(1_700);
    expect(ends?.longest).toBeLessThanOrEqual(1_800);
    expect(ends?.stayed).toEqual([refused]);
  });
});
