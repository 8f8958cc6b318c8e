import { Database } from '../src/database.js';
import { MessageClaims } from '../src/messages/message-claims.js';
import type { EndedRun } from '../src/scheduler/plan.js';
import { OWNERS_OF_A_JOB } from '../src/fences.js';
import { ScheduleStore } from '../src/scheduler/schedule-store.js';
import { createMigratedDatabase, type MigratedDatabase } from './support/migrated-database.js';

const OWNER = 'replica';
const LEASE_MS = 10_000;

describe('a job that was given back', () => {
  let migrated: MigratedDatabase;
  let store: ScheduleStore;
  let ended: EndedRun;

  beforeEach(async () => {
    migrated = await createMigratedDatabase();
    store = new ScheduleStore(new Database(migrated.dataSource));
    const id = await migrated.database.value<number>(
      `INSERT INTO dispatch_jobs (due_at, state, fence, owner, lease_until, budget)
       VALUES (now(), 'running', 1, $1, now() + interval '10 s', 5) RETURNING id`,
      [OWNER],
    );
    ended = { id, fence: 1, state: 'open', resumeAfterMs: 0, sent: 2, notSent: 1, note: 'shutdown' };
  });
  afterEach(() => migrated.drop());

  const writeEnd = async () => {
    const { version, schedule, autoSending } = await store.observe();
    const plan = { schedule, autoSending, slots: [], begin: null, ended, dropped: 0 };
    const signature = { owner: OWNER, leaseMs: LEASE_MS, budget: 5, change: null, notify: false };
    expect(await store.apply(version, plan, signature)).toEqual({ applied: true, tenure: null });
  };
  const job = () => migrated.database.query(`SELECT state, owner, lease_until, sent, not_sent FROM dispatch_jobs`);
  const failures = async () => await migrated.database.value<number>(`SELECT failures FROM dispatch_jobs`);
  const takeOver = async (owner: string) => {
    const { version, schedule, autoSending, begun } = await store.observe();
    const plan = { schedule, autoSending, slots: [], begin: begun[0] ?? null, ended: null, dropped: 0 };
    const { tenure } = await store.apply(version, plan, { owner, leaseMs: 1, budget: 5, change: null, notify: false });
    ended = { ...ended, fence: tenure?.fence ?? 0 };
    return tenure;
  };

  it('counts a run that threw and an owner that vanished as failures, and no owner that handed it over', async () => {
    await writeEnd();
    for (let owner = 0; owner < 3; owner += 1) {
      expect(await takeOver(OWNER)).toMatchObject({ failures: 0 });
      ended = { ...ended, sent: 0, notSent: 0 };
      await writeEnd();
    }
    await takeOver(OWNER);
    ended = { ...ended, state: 'failed' };
    await writeEnd();
    expect(await takeOver('another')).toMatchObject({ failures: 1 });
    await migrated.database.query(`UPDATE dispatch_jobs SET lease_until = now() - interval '1 s'`);
    expect(await takeOver('one more')).toMatchObject({ failures: 2 });
    await migrated.database.query(`UPDATE dispatch_jobs SET owner = $1`, [OWNER]);
    ended = { ...ended, state: 'open', notSent: 1 };
    await writeEnd();
    expect(await failures()).toBe(0);
  });

  const givenBack = [{ state: 'running', owner: null, lease_until: null, sent: 2, not_sent: 1 }];

  it('is not counted again when its end is written again, the reply having been lost', async () => {
    await writeEnd();
    expect(await job()).toEqual(givenBack);
    await writeEnd();
    expect(await job()).toEqual(givenBack);
  });

  it('gets no lease from a renewal that arrives late, so the next owner need not wait for it', async () => {
    expect(await store.renew(ended.id, ended.fence, LEASE_MS)).toMatchObject({ held: true });
    await writeEnd();
    expect(await store.renew(ended.id, ended.fence, LEASE_MS)).toMatchObject({ held: false });
    expect(await job()).toEqual(givenBack);
  });

  it('learns from a renewal that sending was stopped, also where no notification arrives', async () => {
    await migrated.database.query(`UPDATE scheduler_state SET running = TRUE`);
    expect(await store.renew(ended.id, ended.fence, LEASE_MS)).toEqual({ held: true, running: true });
    await migrated.database.query(`UPDATE scheduler_state SET running = FALSE`);
    expect(await store.renew(ended.id, ended.fence, LEASE_MS)).toEqual({ held: true, running: false });
  });

  it('keeps since when its lease was seen run out, until a renewal or another owner', async () => {
    const { id, fence } = ended;
    const lapseSeenAgoMs = async () => (await store.observe()).begun[0]?.lapseSeenAgoMs;
    await store.noteLapse({ id, fence });
    expect(await lapseSeenAgoMs()).toBeNull();
    await migrated.database.query(`UPDATE dispatch_jobs SET lease_until = now() - interval '1 s'`);
    await store.noteLapse({ id, fence });
    await migrated.database.query(`UPDATE dispatch_jobs SET lapse_seen_at = lapse_seen_at - interval '7 s'`);
    await store.noteLapse({ id, fence });
    expect(await lapseSeenAgoMs()).toBeGreaterThanOrEqual(7_000);
    await store.renew(id, fence, LEASE_MS);
    expect(await lapseSeenAgoMs()).toBeNull();
    await migrated.database.query(
      `UPDATE dispatch_jobs SET lease_until = now() - interval '1 s', lapse_seen_at = now()`,
    );
    const { version, schedule, autoSending } = await store.observe();
    const plan = { schedule, autoSending, slots: [], begin: { id, fence }, ended: null, dropped: 0 };
    const signature = { owner: 'another', leaseMs: LEASE_MS, budget: 5, change: null, notify: false };
    expect(await store.apply(version, plan, signature)).toMatchObject({ tenure: { id, fence: fence + 1 } });
    expect(await lapseSeenAgoMs()).toBeNull();
  });

  it('keeps the longest time that its owner let a request take, and so does who takes it over', async () => {
    const { id } = ended;
    const limits = async () => {
      const { begun, silent } = await store.observe();
      return { ofOwner: begun[0]?.requestLimitMs, ofSilent: silent?.requestLimitMs };
    };
    const takeFromSilent = async (owner: string, requestLimitMs: number) => {
      await migrated.database.query(`UPDATE dispatch_jobs SET lease_until = now() - interval '1 s'`);
      const { version, schedule, autoSending, begun } = await store.observe();
      const plan = { schedule, autoSending, slots: [], begin: begun[0] ?? null, ended: null, dropped: 0 };
      const silentOwner = begun[0]?.owner ?? null;
      const signature = {
        owner,
        leaseMs: LEASE_MS,
        budget: 5,
        change: null,
        notify: false,
        silentOwner,
        requestLimitMs,
      };
      return (await store.apply(version, plan, signature)).tenure?.fence ?? 0;
    };
    await store.renew(id, 1, LEASE_MS, 3_000);
    await store.renew(id, 1, LEASE_MS, 60_000);
    await store.renew(id, 1, LEASE_MS, 5_000);
    expect(await limits()).toEqual({ ofOwner: 60_000, ofSilent: undefined });
    const fence = await takeFromSilent('second', 3_000);
    expect(await limits()).toEqual({ ofOwner: 3_000, ofSilent: 60_000 });
    await store.renew(id, fence, LEASE_MS, 4_000);
    await migrated.database.query(`UPDATE scheduler_state SET silent_at = silent_at - interval '10 s'`);
    await takeFromSilent('third', 3_000);
    const { ofOwner, ofSilent } = await limits();
    expect(ofOwner).toBe(3_000);
    // What was left for the first one, which the second must not shorten.
    expect(ofSilent).toBeGreaterThan(45_000);
    expect(ofSilent).toBeLessThanOrEqual(50_000);
  });
});

describe('a job that trails', () => {
  let migrated: MigratedDatabase;
  let store: ScheduleStore;
  let first: number;

  beforeEach(async () => {
    migrated = await createMigratedDatabase();
    store = new ScheduleStore(new Database(migrated.dataSource));
    first = await migrated.database.value<number>(
      `INSERT INTO dispatch_jobs (due_at, state, fence, owner, lease_until, budget)
       VALUES (now(), 'running', 1, $1, now() + interval '10 s', 5) RETURNING id`,
      [OWNER],
    );
    await migrated.database.query(`UPDATE scheduler_state SET running = TRUE`);
  });
  afterEach(() => migrated.drop());

  const signature = { owner: OWNER, leaseMs: LEASE_MS, budget: 5, change: null, notify: false };
  const jobs = async () =>
    await migrated.database.query(
      `SELECT id, state, fence, owner, tail_since IS NOT NULL AS tail FROM dispatch_jobs ORDER BY id`,
    );

  it('becomes a tail in the write that begins the next job, once, though the reply may be lost', async () => {
    const before = await store.observe();
    const { schedule, autoSending, version } = before;
    const slots = [{ dueAt: before.now, state: 'running' as const }];
    const tail = { id: first, fence: 1 };
    const write = { schedule, autoSending, slots, begin: null, tail, ended: null, dropped: 0 };
    // Only its owner says so.
    const alien = { ...write, slots: [] };
    expect(await store.apply(version, alien, { ...signature, owner: 'another' })).toMatchObject({ applied: true });
    expect(await jobs()).toMatchObject([{ id: first, tail: false }]);
    const { tenure } = await store.apply(version + 1, write, signature);
    const second = tenure?.id ?? 0;
    const fence = tenure?.fence ?? 0;
    expect([fence % OWNERS_OF_A_JOB, tenure?.tail]).toEqual([1, false]);

    // The reply is taken for lost: the same write again changes nothing, and a look shows both.
    expect(await store.apply(version + 1, write, signature)).toEqual({ applied: false, tenure: null });
    const seen = await store.observe();
    expect(seen.begun).toMatchObject([
      { id: first, fence: 1, owner: OWNER, tail: true },
      { id: second, fence, owner: OWNER, tail: false },
    ]);
    const again = { ...write, slots: [], begin: { id: second, fence }, tail: null };
    expect((await store.apply(seen.version, again, signature)).tenure).toMatchObject({ id: second, fence: fence + 1 });
    expect(await jobs()).toEqual([
      { id: first, state: 'running', fence: 1, owner: OWNER, tail: true },
      { id: second, state: 'running', fence: fence + 1, owner: OWNER, tail: false },
    ]);
    // A tail keeps its lease, and passes on as one.
    expect(await store.renew(first, 1, LEASE_MS)).toEqual({ held: true, running: true });
    await migrated.database.query(`UPDATE dispatch_jobs SET lease_until = now() - interval '1 s' WHERE id = $1`, [
      first,
    ]);
    const { version: later } = await store.observe();
    const takeOver = { ...again, begin: { id: first, fence: 1 } };
    const taken = await store.apply(later, takeOver, { ...signature, owner: 'another', silentOwner: OWNER });
    expect(taken.tenure).toMatchObject({ id: first, fence: 2, tail: true, failures: 1 });
  });

  it('claims nothing more', async () => {
    await migrated.database.insertMessages(1);
    const claims = new MessageClaims(new Database(migrated.dataSource));
    const job = { id: first, fence: 1 };
    await claims.open(job);
    const claim = async () => (await claims.claim(job, 5)).messages.length;
    const claimProbe = async () => await claims.claimProbe(job, 1);
    await migrated.database.query(`UPDATE dispatch_jobs SET tail_since = now()`);
    expect(await claim()).toBe(0);
    expect(await claimProbe()).toBeNull();
    await migrated.database.query(`UPDATE dispatch_jobs SET tail_since = NULL`);
    expect(await claim()).toBe(1);
  });
});
