import { planTurn, TAILS_MAX, type Circumstances, type EndedRun, type Observation } from './plan.js';
import { LEAD_MS, type Schedule } from './schedule.js';

const NOW = 1_000_000;
const schedule: Schedule = {
  running: true,
  intervalMs: 60_000,
  lastSlotAt: NOW - 10_000,
  nextSlotAt: NOW + 50_000,
  waiting: 0,
  overflowTotal: 0,
};
const due: Schedule = { ...schedule, lastSlotAt: NOW - 60_000, nextSlotAt: NOW };
const quiet: Observation = {
  version: 1,
  now: NOW,
  schedule,
  autoSending: true,
  oldestWaiting: null,
  begun: [],
  workExists: true,
};
const replica: Circumstances = {
  self: 'here',
  capacity: 3,
  workers: 1,
  newIntervalMs: null,
  newAutoSending: null,
  lastSlotCopy: null,
  ended: null,
  free: true,
  trailing: null,
  settles: true,
  runsHere: () => false,
  takeoverFrom: () => 0,
  leadMs: LEAD_MS,
  handicapMs: 0,
  deferMs: () => 0,
};
const waiting = { schedule: { ...schedule, waiting: 2 }, oldestWaiting: { id: 7, fence: 0 } };
const elsewhere = { id: 5, fence: 1, owner: 'elsewhere', leaseUntil: NOW + 8_000, tail: false };
const ended: EndedRun = { id: 5, fence: 1, state: 'done', resumeAfterMs: 0, sent: 2, notSent: 0, note: null };

const plan = (seen: Partial<Observation>, circumstances: Partial<Circumstances> = {}) =>
  planTurn({ ...quiet, ...seen }, { ...replica, ...circumstances });

describe('planTurn', () => {
  it('writes nothing and sleeps until the next slot, or shortly before, when nothing is due', () => {
    const rest = { changes: false, slots: [], begin: null };
    expect(plan({})).toMatchObject({ ...rest, wakeAt: NOW + 50_000 - LEAD_MS });
    expect(plan({ workExists: false })).toMatchObject({ ...rest, wakeAt: NOW + 50_000 });
  });

  it('takes a slot for which there is work shortly before its time, and every other one at its time', () => {
    const soon = { ...due, nextSlotAt: NOW + LEAD_MS };
    expect(plan({ schedule: soon })).toMatchObject({
      slots: [{ dueAt: NOW + LEAD_MS, state: 'running' }],
      schedule: { lastSlotAt: NOW + LEAD_MS, nextSlotAt: NOW + LEAD_MS + 60_000 },
    });
    expect(plan({ schedule: { ...soon, nextSlotAt: NOW + LEAD_MS + 1 } }).slots).toEqual([]);
    expect(plan({ schedule: soon, workExists: false })).toMatchObject({ slots: [], wakeAt: NOW + LEAD_MS });
  });

  describe('with a slot that is due', () => {
    it('begins it at once when there is room', () => {
      const turn = plan({ schedule: due });
      expect(turn.slots).toEqual([{ dueAt: NOW, state: 'running' }]);
      expect(turn).toMatchObject({ begin: null, changes: true, wakeAt: NOW + 60_000 - LEAD_MS });
    });

    it('queues it while another job runs', () => {
      const turn = plan({ schedule: due, begun: [elsewhere] }, { free: false });
      expect(turn.slots).toEqual([{ dueAt: NOW, state: 'waiting' }]);
    });

    it('begins it beside another job when there is a second worker', () => {
      expect(plan({ schedule: due, begun: [elsewhere] }, { workers: 2 }).slots[0]?.state).toBe('running');
    });

    it('queues it behind what waits already, and begins the oldest', () => {
      const turn = plan({ schedule: { ...due, waiting: 1 }, oldestWaiting: { id: 7, fence: 0 } });
      expect(turn.begin).toEqual({ id: 7, fence: 0 });
      expect(turn.slots).toEqual([{ dueAt: NOW, state: 'waiting' }]);
    });

    it('is done with it in the same write when there is nothing to send', () => {
      expect(plan({ schedule: due, workExists: false }).slots).toEqual([{ dueAt: NOW, state: 'done' }]);
    });

    it('queues it when there is nothing to send but a job runs: it may leave something behind', () => {
      const turn = plan({ schedule: due, workExists: false, begun: [elsewhere] });
      expect(turn.slots[0]?.state).toBe('waiting');
    });

    it('queues it when there is nothing to send but older ones wait', () => {
      const turn = plan({ schedule: { ...due, waiting: 1 }, oldestWaiting: { id: 7, fence: 0 }, workExists: false });
      expect(turn.slots).toEqual([{ dueAt: NOW, state: 'waiting' }]);
    });

    it('queues it on a replica that is ending', () => {
      expect(plan({ schedule: due }, { free: false }).slots[0]?.state).toBe('waiting');
    });
  });

  it('begins only the first of several slots, queues what fits, and counts the rest', () => {
    const turn = plan({ schedule: { ...due, nextSlotAt: NOW - 240_000 } });
    expect(turn.slots.map((slot) => slot.state)).toEqual(['running', 'waiting', 'waiting']);
    expect(turn).toMatchObject({ overflow: 2, dropped: 0, schedule: { nextSlotAt: NOW + 60_000, overflowTotal: 2 } });
  });

  it('begins the oldest waiting job when its own has ended', () => {
    const turn = plan({ ...waiting, begun: [elsewhere] }, { ended });
    expect(turn).toMatchObject({ begin: { id: 7, fence: 0 }, ended, changes: true });
  });

  it('begins nothing while as many jobs run as there are workers', () => {
    expect(plan({ ...waiting, begun: [elsewhere] })).toMatchObject({ begin: null, changes: false });
  });

  it('begins nothing while stopped, even if a job was handed back meanwhile', () => {
    const turn = plan({ schedule: { ...schedule, running: false, waiting: 1 }, oldestWaiting: { id: 7, fence: 1 } });
    expect(turn).toMatchObject({ begin: null, changes: false, wakeAt: Infinity });
  });

  it('looks again when the lease of another replica runs out', () => {
    const { wakeAt } = plan({ ...waiting, begun: [elsewhere] });
    expect(wakeAt).toBeGreaterThan(elsewhere.leaseUntil);
    expect(wakeAt).toBeLessThan(elsewhere.leaseUntil + 1_000);
  });

  it('takes over a job whose lease ran out, before any that waits and even while stopped', () => {
    const orphan = { ...elsewhere, leaseUntil: NOW - 1_000 };
    expect(plan({ ...waiting, begun: [orphan] }).begin).toMatchObject({ id: 5, fence: 1 });
    const stopped = { ...schedule, running: false };
    expect(plan({ schedule: stopped, begun: [orphan] }).begin).toMatchObject({ id: 5, fence: 1 });
  });

  it.each([
    ['has only just run out', { leaseUntil: NOW - 1 }, {}],
    ['may not be counted as run out yet', { leaseUntil: NOW - 60_000 }, { takeoverFrom: () => NOW + 4_000 }],
    ['ran out, when this replica is busy', { leaseUntil: NOW - 60_000 }, { free: false }],
  ])('takes over no job whose lease %s', (_, lease, circumstances) => {
    expect(plan({ begun: [{ ...elsewhere, ...lease }] }, circumstances).begin).toBeNull();
  });

  it('looks again when leases count as run out', () => {
    const orphan = { ...elsewhere, leaseUntil: NOW - 60_000 };
    expect(plan({ begun: [orphan] }, { takeoverFrom: () => NOW + 4_000 }).wakeAt).toBe(NOW + 4_000);
  });

  it('takes a job that was given back at once, whatever keeps leases from counting as run out', () => {
    const givenBack = { ...elsewhere, owner: null, leaseUntil: null };
    const turn = plan({ begun: [givenBack], ...waiting }, { takeoverFrom: () => NOW + 4_000 });
    expect(turn.begin).toMatchObject({ id: 5, fence: 1 });
  });

  it('takes a job that was given back for a while as soon as that is over, whatever keeps leases from running out', () => {
    const resting = { ...elsewhere, owner: null };
    expect(plan({ begun: [resting] }, { takeoverFrom: () => NOW + 9_000 })).toMatchObject({
      begin: null,
      wakeAt: NOW + 8_001,
    });
    const rested = { ...resting, leaseUntil: NOW - 1 };
    expect(plan({ begun: [rested] }, { takeoverFrom: () => NOW + 9_000 }).begin).toMatchObject({ id: 5, fence: 1 });
  });

  it('takes a job of its own that does not run here at once: it never heard that it began', () => {
    const unheard = { ...elsewhere, owner: 'here' };
    expect(plan({ begun: [unheard] }, { takeoverFrom: () => NOW + 9_000 }).begin).toMatchObject({ id: 5, fence: 1 });
    expect(plan({ begun: [unheard] }, { free: false }).begin).toBeNull();
    expect(plan({ begun: [unheard] }, { ended }).begin).toBeNull();
  });

  it('lets nothing overtake a job that ends open, and looks for it again when it may go on', () => {
    const handedBack = { ended: { ...ended, state: 'open' as const, resumeAfterMs: 1_000 } };
    for (const seen of [waiting, { schedule: due }]) {
      const turn = plan({ ...seen, begun: [elsewhere] }, handedBack);
      expect(turn.begin).toBeNull();
      expect(turn.slots.every((slot) => slot.state === 'waiting')).toBe(true);
      expect(turn.wakeAt).toBe(NOW + 1_000);
    }
    expect(plan({ begun: [elsewhere] }, { ...handedBack, free: false }).wakeAt).toBe(schedule.nextSlotAt - LEAD_MS);
  });

  describe('auto_sending', () => {
    const stopped = { ...schedule, running: false };

    it.each([
      ['starts on the first boot when true', stopped, null, true, true],
      ['stays stopped on the first boot when false', stopped, null, false, false],
      ['starts by a change to true', stopped, false, true, true],
      ['stops by a change to false', schedule, true, false, false],
      ['leaves an operator’s stop alone when it did not change', stopped, true, true, false],
      ['leaves an operator’s start alone when it did not change', schedule, false, false, true],
    ])('%s', (_, before, autoSending, newAutoSending, running) => {
      const turn = plan({ schedule: before, autoSending }, { newAutoSending });
      expect(turn.schedule.running).toBe(running);
      expect(turn.autoSending).toBe(newAutoSending);
    });

    it('is noted even when it changes nothing else', () => {
      expect(plan({ autoSending: null, schedule: stopped }, { newAutoSending: false }).changes).toBe(true);
    });

    it('discards what waits and what was due when it stops, and begins nothing', () => {
      const turn = plan(
        { schedule: { ...due, waiting: 2 }, oldestWaiting: { id: 7, fence: 0 } },
        { newAutoSending: false },
      );
      expect(turn).toMatchObject({ dropped: 2, slots: [], begin: null, overflow: 0, wakeAt: Infinity });
    });
  });

  it('queues what the old interval owes before it takes over a new one', () => {
    const owing = { ...schedule, lastSlotAt: NOW - 130_000, nextSlotAt: NOW - 70_000 };
    const turn = plan({ schedule: owing, begun: [elsewhere] }, { newIntervalMs: 5_000 });
    expect(turn.slots.map((slot) => slot.dueAt)).toEqual([NOW - 70_000, NOW - 10_000, NOW]);
    expect(turn.schedule).toMatchObject({ intervalMs: 5_000, lastSlotAt: NOW, nextSlotAt: NOW + 5_000 });
  });

  it('trims the newest waiting jobs to a capacity that shrank, and counts them', () => {
    const turn = plan({ ...waiting, begun: [elsewhere] }, { capacity: 1 });
    expect(turn).toMatchObject({ dropped: 1, overflow: 1, schedule: { overflowTotal: 1 }, changes: true });
  });

  it('goes on from the copy of the last slot when that is later', () => {
    const turn = plan({}, { lastSlotCopy: NOW - 5_000 });
    expect(turn).toMatchObject({ changes: true, wakeAt: NOW + 55_000 - LEAD_MS });
  });

  it('sleeps until something is heard while stopped', () => {
    expect(plan({ schedule: { ...schedule, running: false } }).wakeAt).toBe(Infinity);
  });
});

describe('planTurn of a replica that cannot work', () => {
  const unable = { handicapMs: 500, deferMs: () => 300 };

  it('takes a slot only when nobody else has taken it for a while', () => {
    expect(plan({ schedule: due }, unable)).toMatchObject({ slots: [], changes: false, wakeAt: NOW + 500 });
    const passed = { ...due, nextSlotAt: NOW - 500 };
    expect(plan({ schedule: passed }, unable).slots).toMatchObject([{ dueAt: NOW - 500, state: 'running' }]);
  });

  it.each([
    ['a waiting job', waiting],
    ['a job that was given back', { begun: [{ ...elsewhere, owner: null, leaseUntil: null }] }],
  ])('leaves %s to others first, and looks again', (_name, seen) => {
    expect(plan(seen, unable)).toMatchObject({ begin: null, changes: false, wakeAt: NOW + 300 });
    expect(plan(seen, { ...unable, deferMs: () => 0 }).begin).not.toBeNull();
  });

  it('settles what a silent owner left after a second at most, and leaves only its requests to others', () => {
    const dead = { ...elsewhere, leaseUntil: NOW - 60_000 };
    const left = (handicapMs: number, deferMs: number, begun: Observation['begun'] = [dead]) =>
      plan({ begun }, { handicapMs, deferMs: () => deferMs });
    expect(left(500, 300)).toMatchObject({ begin: null, wakeAt: NOW + 300 });
    expect(left(500, 0)).toMatchObject({ begin: { id: 5 }, settlesOnly: false });
    expect(left(60_000, 60_000)).toMatchObject({ begin: null, wakeAt: NOW + 1_000 });
    expect(left(60_000, 59_000)).toMatchObject({ begin: { id: 5 }, settlesOnly: true });
    // One that was given back is in nobody's way.
    const givenBack = { id: 4, fence: 1, owner: null, leaseUntil: null, tail: false };
    expect(left(60_000, 59_000, [givenBack, dead])).toMatchObject({ begin: { id: 5 }, settlesOnly: true });
    expect(left(60_000, 59_000, [givenBack])).toMatchObject({ begin: null });
  });

  it('queues a slot in time although it steps back for longer, and leaves that to others', () => {
    const longer = { handicapMs: 20_000, deferMs: () => 20_000 };
    expect(plan({ schedule: due }, longer)).toMatchObject({ slots: [], wakeAt: NOW + 1_000 });
    const passed = { ...due, nextSlotAt: NOW - 1_000 };
    expect(plan({ schedule: passed }, longer)).toMatchObject({
      slots: [{ dueAt: NOW - 1_000, state: 'waiting' }],
      wakeAt: NOW + 1,
    });
  });

  it.each(['done', 'open'] as const)('begins nothing in the write that ends a job of its own as %s', (state) => {
    const own = { ...unable, ended: { ...ended, state } };
    const passed = { ...due, nextSlotAt: NOW - 600 };
    const { slots, begin } = plan({ schedule: passed, begun: [elsewhere] }, own);
    expect(slots).toMatchObject([{ state: 'waiting' }]);
    expect(begin).toBeNull();
    expect(plan({ ...waiting, begun: [elsewhere] }, own).begin).toBeNull();
  });

  it('clears away what was given back at once when sending was stopped', () => {
    const givenBack = { ...elsewhere, owner: null, leaseUntil: null };
    const stopped = { ...schedule, running: false };
    expect(plan({ schedule: stopped, begun: [givenBack] }, unable).begin).toMatchObject({ id: 5 });
  });

  it('brings a new interval without losing what the old grid owes', () => {
    const { slots, schedule: changed } = plan({ schedule: due }, { ...unable, newIntervalMs: 10_000 });
    expect(slots).toHaveLength(1);
    expect(changed.lastSlotAt).toBe(NOW);
  });
});

describe('planTurn of a replica whose job only waits for requests that hang', () => {
  const own = { id: 5, fence: 1, owner: 'here', leaseUntil: NOW + 8_000, tail: false };
  const runsHere = (job: { readonly id: number }) => job.id === own.id;
  const trailing = { free: false, trailing: own, runsHere };
  const tail = { id: 4, fence: 1, owner: 'elsewhere', leaseUntil: NOW - 1_000, tail: true };

  it('begins the next job in the write that makes the former one a tail', () => {
    expect(plan({ ...waiting, begun: [own] }, trailing)).toMatchObject({ begin: { id: 7 }, tail: { id: 5, fence: 1 } });
    expect(plan({ schedule: due, begun: [own] }, trailing)).toMatchObject({
      slots: [{ state: 'running' }],
      tail: { id: 5, fence: 1 },
    });
  });

  it('leaves it a job while there is nothing to begin, and when sending is stopped', () => {
    expect(plan({ begun: [own] }, trailing)).toMatchObject({ begin: null, tail: null, changes: false });
    const idle = plan({ schedule: due, workExists: false, begun: [own] }, trailing);
    expect(idle).toMatchObject({ slots: [{ state: 'done' }], tail: null });
    const stopped = plan({ ...waiting, begun: [own] }, { ...trailing, newAutoSending: false });
    expect(stopped).toMatchObject({ begin: null, tail: null });
  });

  it('lets no more jobs make requests than there are workers: those that trail elsewhere, and do not say so, count', () => {
    expect(plan({ ...waiting, begun: [elsewhere] }).begin).toBeNull();
    expect(plan({ ...waiting, begun: [own, { ...elsewhere, id: 6 }] }, trailing)).toMatchObject({
      begin: null,
      tail: null,
    });
    expect(plan({ ...waiting, begun: [{ ...elsewhere, tail: true }] }).begin).toMatchObject({ id: 7 });
  });

  it('has the next job wait when there are very many tails', () => {
    const tails = Array.from({ length: TAILS_MAX }, (_, id) => ({ ...tail, id: id + 100, leaseUntil: NOW + 5_000 }));
    expect(plan({ ...waiting, begun: [own, ...tails] }, trailing)).toMatchObject({ begin: null, tail: null });
    expect(plan({ ...waiting, begun: [own, ...tails.slice(1)] }, trailing)).toMatchObject({ tail: { id: 5 } });
  });

  it('settles what the owner of another tail left, beside its own job and while sending is stopped', () => {
    const busy = { free: false, runsHere };
    expect(plan({ begun: [own, tail] }, busy)).toMatchObject({ begin: { id: 4 }, tail: null });
    expect(plan({ schedule: { ...schedule, running: false }, begun: [tail] }).begin).toMatchObject({ id: 4 });
    expect(plan({ begun: [own, { ...tail, leaseUntil: NOW + 5_000 }] }, busy).wakeAt).toBe(NOW + 5_250);
    expect(plan({ begun: [own, tail] }, { ...busy, settles: false }).begin).toBeNull();
  });

  it('begins what it had begun when the reply to that was lost, with the former one a tail already', () => {
    const lost = { ...own, id: 6 };
    const seen = { begun: [{ ...own, tail: true }, lost] };
    expect(plan(seen, { free: true, runsHere })).toMatchObject({ begin: { id: 6, fence: 1 }, tail: null });
    const asEnded = { free: true, runsHere, ended: { ...ended, id: 5 } };
    expect(plan(seen, asEnded)).toMatchObject({ begin: { id: 6, fence: 1 }, ended: { id: 5 } });
  });
});
