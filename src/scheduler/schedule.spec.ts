import {
  adoptLastSlot,
  changeInterval,
  clockShiftMs,
  LONGEST_LEAD_MS,
  start,
  stop,
  tick,
  trim,
  type Schedule,
} from './schedule.js';

const running: Schedule = {
  running: true,
  intervalMs: 100,
  lastSlotAt: 1_000,
  nextSlotAt: 1_100,
  waiting: 0,
  overflowTotal: 0,
};
const stopped: Schedule = { ...running, running: false };
const fresh: Schedule = { ...stopped, lastSlotAt: null, nextSlotAt: 0 };

describe('tick', () => {
  it.each([
    ['nothing before the slot', 1_099, 9, [], 0],
    ['the slot at its very instant', 1_100, 9, [1_100], 0],
    ['one slot until the next is due', 1_199, 9, [1_100], 0],
    ['two slots after exactly two intervals', 1_200, 9, [1_100, 1_200], 0],
    ['the oldest that fit, and counts the surplus', 1_550, 2, [1_100, 1_200], 3],
    ['as many as the capacity exactly', 1_399, 3, [1_100, 1_200, 1_300], 0],
  ])('queues %s', (_, now, capacity, slots, overflow) => {
    const turn = tick(running, now, capacity);
    expect(turn).toMatchObject({ slots, overflow });
    expect(turn.schedule).toMatchObject({ waiting: slots.length, overflowTotal: overflow });
  });

  it('keeps the grid when slots find no room', () => {
    expect(tick({ ...running, waiting: 2 }, 1_555, 2)).toEqual({
      slots: [],
      overflow: 5,
      schedule: { ...running, waiting: 2, lastSlotAt: 1_500, nextSlotAt: 1_600, overflowTotal: 5 },
    });
  });

  it('takes a queue that is longer than a capacity that shrank as full', () => {
    expect(tick({ ...running, waiting: 5 }, 1_100, 3)).toMatchObject({ slots: [], overflow: 1 });
  });

  it('does nothing while stopped, whatever the time', () => {
    expect(tick(stopped, 1e12, 9)).toEqual({ schedule: stopped, slots: [], overflow: 0 });
  });

  it('counts a year of one-second slots without making a list of them', () => {
    const turn = tick({ ...running, intervalMs: 1_000 }, 1_100 + 31_536_000_000, 100);
    expect(turn.slots).toHaveLength(100);
    expect(turn.overflow).toBe(31_536_001 - 100);
  });
});

describe('trim', () => {
  it.each([
    [5, 5, 0],
    [5, 6, 0],
    [5, 2, 3],
    [0, 1, 0],
  ])('leaves %i waiting jobs within a capacity of %i by dropping %i', (waiting, capacity, trimmed) => {
    expect(trim({ ...running, waiting, overflowTotal: 7 }, capacity)).toEqual({
      trimmed,
      schedule: { ...running, waiting: waiting - trimmed, overflowTotal: 7 + trimmed },
    });
  });
});

describe('start', () => {
  it.each([
    ['at once when there was no slot yet', fresh, 5_000, 5_000],
    ['one interval after the last slot', stopped, 1_020, 1_100],
    ['at once when that has passed', stopped, 1_300, 1_300],
    ['at that very instant', stopped, 1_100, 1_100],
  ])('runs the next slot %s', (_, schedule, now, nextSlotAt) => {
    expect(start(schedule, now)).toEqual({ ...schedule, running: true, nextSlotAt });
  });

  it('changes nothing when sending runs', () => {
    expect(start(running, 9_999)).toBe(running);
  });

  it('cannot be cycled to beat the rate', () => {
    let schedule = running;
    let slots = 0;
    for (let now = 1_000; now < 2_000; now += 7) {
      const turn = tick(start(stop(schedule), now), now, 9);
      slots += turn.slots.length;
      schedule = turn.schedule;
    }
    expect(slots).toBeLessThanOrEqual(10);
    expect(slots).toBeGreaterThan(8);
  });
});

describe('stop', () => {
  it('discards what waits and keeps the last slot', () => {
    expect(stop({ ...running, waiting: 4 })).toEqual({ ...running, running: false, waiting: 0 });
  });

  it('changes nothing when sending is stopped', () => {
    expect(stop(stopped)).toBe(stopped);
  });

  it('makes the time until the start not missed', () => {
    const resumed = start(stop(running), 1_000_000);
    expect(tick(resumed, 1_000_000, 100)).toMatchObject({ slots: [1_000_000], overflow: 0 });
  });
});

describe('changeInterval', () => {
  it.each([
    ['a longer one counts from the last slot', 1_050, 400, 1_400],
    ['a shorter one counts from the last slot', 1_010, 40, 1_040],
    ['one that has passed already makes a slot due now, and no more', 1_090, 10, 1_090],
  ])('%s', (_, now, intervalMs, nextSlotAt) => {
    const schedule = { ...running, waiting: 3 };
    expect(changeInterval(schedule, now, intervalMs)).toEqual({ ...schedule, intervalMs, nextSlotAt });
  });

  it('leaves a first slot where it is', () => {
    const first = { ...fresh, running: true, nextSlotAt: 700 };
    expect(changeInterval(first, 650, 10)).toEqual({ ...first, intervalMs: 10 });
  });

  it('changes nothing when the interval is in force', () => {
    expect(changeInterval(running, 5_000, 100)).toBe(running);
  });
});

describe('adoptLastSlot', () => {
  it.each([
    ['goes on from a later slot', 1_080, { lastSlotAt: 1_080, nextSlotAt: 1_180 }],
    ['ignores an earlier one', 990, {}],
    ['ignores the same one', 1_000, {}],
    ['ignores one from the future', 1_091, {}],
  ])('%s', (_, copy, changed) => {
    expect(adoptLastSlot(running, copy, 1_090)).toEqual({ ...running, ...changed });
  });

  it('takes any when none is known', () => {
    expect(adoptLastSlot(fresh, 50, 1_000)).toEqual({ ...fresh, lastSlotAt: 50, nextSlotAt: 150 });
  });
});

describe('clockShiftMs', () => {
  const hourly: Schedule = { ...running, intervalMs: 3_600_000, lastSlotAt: 10_000_000, nextSlotAt: 13_600_000 };

  it.each([
    ['not at all while the clock runs on', hourly, 10_500_000, 0, 0],
    ['not for a clock that is being slewed', hourly, 9_999_960, 0, 0],
    [
      'not for a slot that was taken ahead of its time, by such a clock',
      hourly,
      10_000_000 - LONGEST_LEAD_MS - 40,
      0,
      0,
    ],
    ['as far as a replica measured', hourly, 10_500_000, 20_000, 20_000],
    ['as far as a replica measured, however little that is', hourly, 9_999_700, 600, 600],
    ['not for a clock that was set forward', hourly, 10_500_000, -20_000, 0],
    ['so far that the last slot is not in the future', hourly, 9_000_000, 0, 1_000_000],
    ['by what was measured when that is more', hourly, 9_000_000, 1_700_000, 1_700_000],
    ['so far that no pause is longer than an interval', { ...fresh, running: true, nextSlotAt: 5_900 }, 100, 0, 5_700],
    ['while stopped by the last slot only', { ...hourly, running: false, nextSlotAt: 99e9 }, 10_500_000, 0, 0],
    ['while stopped with a last slot in the future', { ...hourly, running: false }, 9_900_000, 0, 100_000],
  ])('moves the grid back %s', (_, schedule, now, setBackMs, shiftMs) => {
    expect(clockShiftMs(schedule, now, setBackMs)).toBe(shiftMs);
  });
});
