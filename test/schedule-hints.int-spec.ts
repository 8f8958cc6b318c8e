import { Logger } from '@nestjs/common';
import { createDataSource, type ServiceDataSource } from '../src/data-source.js';
import { Database } from '../src/database.js';
import { ScheduleStore, type Signature, type Write } from '../src/scheduler/schedule-store.js';
import { turnFaultOf } from '../src/scheduler/turn-fault.js';
import { eventually } from './support/eventually.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';
import type { TestDatabase } from './support/test-database.js';

const OWNER = 'replica';
const STOP: Signature['change'] = { by: 'ann', why: 'a test', act: { action: 'stop', onBehalfOf: null } };

const waiting = (count: number): Write['slots'] =>
  Array.from({ length: count }, (_, index) => ({ dueAt: index * 1000, state: 'waiting' }));

describe('what goes with a write of the schedule', () => {
  let migrated: MigratedDatabase;
  let database: TestDatabase;
  let store: ScheduleStore;
  let lines: string[];

  beforeEach(async () => {
    migrated = await createMigratedDatabase();
    ({ database } = migrated);
    store = new ScheduleStore(new Database(migrated.dataSource));
    lines = [];
    const keep = (...given: unknown[]) => void lines.push(given.map((part) => JSON.stringify(part)).join(' '));
    for (const level of ['log', 'warn', 'error'] as const) {
      jest.spyOn(Logger.prototype, level).mockImplementation(keep);
    }
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await migrated.drop();
  });

  const write = async (change: Signature['change'], slots: Write['slots'] = []) => {
    const { version, schedule, autoSending } = await store.observe();
    const plan = { schedule, autoSending, slots, begin: null, ended: null, dropped: 0 };
    return await store.apply(version, plan, { owner: OWNER, leaseMs: 10_000, budget: 5, change, notify: true });
  };
  const jobs = async () => await database.value(`SELECT count(*) FROM dispatch_jobs`);
  const said = (text: RegExp) => lines.filter((line) => text.test(line));

  it('may come with sequences that are behind their tables: they are set to the highest id, and the write is made', async () => {
    await database.query(
      `INSERT INTO dispatch_jobs (id, due_at, state, fence) OVERRIDING SYSTEM VALUE
       SELECT n, now(), 'done', 1 FROM generate_series(1, 1200) n`,
    );
    await database.query(
      `INSERT INTO operator_actions (id, actor, action) OVERRIDING SYSTEM VALUE SELECT n, 'ann', 'stop' FROM generate_series(1, 50) n`,
    );
    await database.query(`SELECT setval(pg_get_serial_sequence('dispatch_jobs', 'id'), 1000)`);
    expect(await write(STOP, waiting(3))).toMatchObject({ applied: true });
    expect(await database.value(`SELECT count(*) FROM dispatch_jobs WHERE id > 1200 AND state = 'waiting'`)).toBe(3);
    expect(await database.value(`SELECT count(*) FROM operator_actions`)).toBe(51);
    expect(said(/The sequence of .* was behind/)).toHaveLength(2);
    expect(await write(null, waiting(1))).toMatchObject({ applied: true });
    expect(said(/The sequence of .* was behind/)).toHaveLength(2);
  });

  it('is the deletion of old jobs now and then, which fails no write and takes long backlogs in parts', async () => {
    await database.query(
      `INSERT INTO dispatch_jobs (id, due_at, state, fence) OVERRIDING SYSTEM VALUE
       SELECT n, now(), 'done', 1 FROM generate_series(1, 12000) n`,
    );
    await database.query(
      `CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'kept'; END $$`,
    );
    await database.query(`CREATE TRIGGER kept BEFORE DELETE ON dispatch_jobs FOR EACH ROW EXECUTE FUNCTION kept()`);
    await database.query(`SELECT setval(pg_get_serial_sequence('dispatch_jobs', 'id'), 64 * 2000 - 2)`);
    await write(null, waiting(1));
    expect(await write(null, waiting(1))).toMatchObject({ applied: true });
    await eventually(() => expect(said(/Cannot delete old jobs/)).toHaveLength(1));
    expect(await jobs()).toBe(12_002);

    await database.query(`DROP TRIGGER kept ON dispatch_jobs`);
    await write(null, waiting(64));
    await eventually(async () => expect(await jobs()).toBe(2_002 + 64));
  });

  it('is the note of an operator’s act, without which the act is in force, and in the log', async () => {
    await database.query(`ALTER TABLE operator_actions ADD CHECK (actor = 'nobody') NOT VALID`);
    expect(await write(STOP)).toMatchObject({ applied: true });
    expect(await database.value(`SELECT changed_by FROM scheduler_state`)).toBe('ann');
    const [line] = said(/Cannot note an operator/);
    expect(line).toMatch(/"action":"stop","actor":"ann".*23514.*operator_actions/);
  });

  it('is the note of an operator’s act, for which nobody waits longer than a second: not behind a lock on its table', async () => {
    const holder = await database.connect();
    await holder.query('BEGIN; LOCK TABLE operator_actions IN ACCESS EXCLUSIVE MODE');
    const began = performance.now();
    expect(await write(STOP)).toMatchObject({ applied: true });
    // A second to wait; the rest is for a slow machine. Before, a statement waited for as long as one may take: 8 s.
    expect(performance.now() - began).toBeLessThan(3_000);
    await holder.end();
    expect(await database.value(`SELECT changed_by FROM scheduler_state`)).toBe('ann');
    expect(said(/Cannot note an operator/)).toHaveLength(1);
    expect(await database.value(`SELECT count(*) FROM operator_actions`)).toBe(0);
  });

  it('needs no right on the table of acts while nobody acts', async () => {
    const role = `${OWNER}_${process.pid}`;
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD '${role}'`);
    let asRole: ServiceDataSource | null = null;
    try {
      await database.query(
        `GRANT SELECT, INSERT, UPDATE ON scheduler_state, dispatch_jobs, fleet_settings, messages TO ${role}`,
      );
      const url = new URL(database.url);
      url.username = role;
      url.password = role;
      asRole = await createDataSource(url.href).initialize();
      store = new ScheduleStore(new Database(asRole));
      expect(await write(null, waiting(1))).toMatchObject({ applied: true });
      expect(await write(STOP)).toMatchObject({ applied: true });
      expect(said(/Cannot note an operator/)[0]).toMatch(/42501, permission denied for table operator_actions/);

      // The role may not set a sequence: the owner is told how, once.
      await database.query(
        `INSERT INTO dispatch_jobs (id, due_at, state, fence) OVERRIDING SYSTEM VALUE
         SELECT n, now(), 'done', 1 FROM generate_series(2, 10) n`,
      );
      for (let again = 0; again < 2; again += 1) {
        await expect(write(null, waiting(1))).rejects.toMatchObject({ code: '23505' });
      }
      expect(said(/The sequence of dispatch_jobs .* run as the table's owner: SELECT setval/)).toHaveLength(1);
      await database.query(`REVOKE SELECT ON fleet_settings FROM ${role}`);
      const fault = await store.observe().then(() => null, turnFaultOf);
      expect(fault).toEqual({
        text: 'PostgreSQL refuses to read or write the schedule: SQLSTATE 42501, permission denied for table fleet_settings',
        passes: false,
      });
    } finally {
      await asRole?.destroy();
      await database.query(`DROP OWNED BY ${role}`);
      await database.query(`DROP ROLE ${role}`);
    }
  });
});
