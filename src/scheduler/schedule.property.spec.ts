import * as fc from 'fast-check';
import { SimulatedFleet } from '../../test/support/simulated-fleet.js';
import { start, tick, type Schedule } from './schedule.js';

const HISTORIES = 10_000;
const INTERVALS_MS = [1_000, 2_000, 3_000, 5_000, 7_000, 12_000] as const;

/** What can happen, and how it reads its number in 0..999. Time passes more often than anything else. */
const EVENTS: Readonly<Record<string, (fleet: SimulatedFleet, n: number) => void>> = {
  passShort: (fleet, n) => fleet.pass(n * 2),
  passLong: (fleet, n) => fleet.pass(n * 40),
  passWhole: (fleet, n) => fleet.pass((n % 9) * fleet.settings.intervalMs),
  crash: (fleet, n) => fleet.crash(n),
  shutDown: (fleet, n) => fleet.shutDown(n),
  boot: (fleet, n) => fleet.boot(n),
  outage: (fleet, n) => {
    for (let index = 0; index < 3; index += 1) fleet.crash(index);
    fleet.pass((n % 20) * fleet.settings.intervalMs + (n % 3));
    fleet.boot(n);
  },
  start: (fleet) => fleet.operate('start'),
  stop: (fleet) => fleet.operate('stop'),
  autoSending: (fleet, n) => fleet.change({ autoSending: n % 3 > 0 }),
  interval: (fleet, n) => fleet.change({ intervalMs: INTERVALS_MS[n % INTERVALS_MS.length] ?? 1_000 }),
  capacity: (fleet, n) => fleet.change({ capacity: 1 + (n % 6) }),
  workers: (fleet, n) => fleet.change({ workers: 1 + (n % 3) }),
  work: (fleet, n) => fleet.change({ workExists: n % 4 > 0 }),
  clockBack: (fleet, n) => fleet.setClock(-1_000 * (1 + Math.floor((n * n) / 128))),
  clockForward: (fleet, n) => fleet.setClock(1_000 * (1 + (n % 60))),
  cutShort: (fleet, n) => fleet.cut(n, 100 + n),
  cutLong: (fleet, n) => fleet.cut(n, n * 30),
  sleep: (fleet, n) => fleet.sleep(n * 40),
  race: (fleet) => fleet.race(),
};

const eventName = fc.constantFrom(
  ...Object.keys(EVENTS),
  'passShort',
  'passLong',
  'passWhole',
  'passShort',
  'passLong',
  'passWhole',
  'crash',
  'boot',
  'start',
  'race',
);

const history = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 - 2 }),
  replicas: fc.integer({ min: 1, max: 3 }),
  hears: fc.boolean(),
  intervalMs: fc.constantFrom(...INTERVALS_MS),
  capacity: fc.integer({ min: 1, max: 6 }),
  workers: fc.constantFrom(1, 1, 1, 2),
  autoSending: fc.constantFrom(true, true, false),
  events: fc.array(fc.tuple(eventName, fc.nat(999)), { minLength: 1, maxLength: 24 }),
});

/** Lehmer's generator: the same numbers for the same seed, so that a history that failed can be run again. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

describe('the schedule', () => {
  it('keeps its promises through any history of jobs, crashes, stops, changed settings and moved clocks', () => {
    fc.assert(
      fc.property(history, ({ seed, replicas, hears, events, ...settings }) => {
        const fleet = new SimulatedFleet({
          settings: { ...settings, workExists: true },
          replicas,
          hears,
          random: numbersFrom(seed),
        });
        fleet.pass(0);
        for (const [name, n] of events) EVENTS[name]?.(fleet, n);
        fleet.settle();
      }),
      { numRuns: HISTORIES },
    );
  });

  it('has no error after 10,000 slots, however late each of them is noticed', () => {
    const random = numbersFrom(42);
    const begun = 1_800_000_000_123;
    let schedule: Schedule = start(
      { running: false, intervalMs: 7_000, lastSlotAt: null, nextSlotAt: 0, waiting: 0, overflowTotal: 0 },
      begun,
    );
    const slots: number[] = [];
    while (slots.length < 10_000) {
      const turn = tick(schedule, schedule.nextSlotAt + Math.floor(random() ** 3 * 20_000), 100);
      slots.push(...turn.slots);
      schedule = { ...turn.schedule, waiting: 0 };
    }
    expect(slots.filter((slot, index) => slot !== begun + index * 7_000)).toEqual([]);
    expect(schedule.overflowTotal).toBe(0);
  });

  it.each([1, 2, 3, 7, 99, 100, 101, 5_000])('owes exactly %i slots after a downtime of that many intervals', (k) => {
    const intervals = fc.integer({ min: 1, max: 31_536_000_000 });
    fc.assert(
      fc.property(intervals, fc.integer({ min: 1, max: 200 }), fc.nat(999_999), (intervalMs, capacity, part) => {
        const last = 1_800_000_000_000;
        const schedule: Schedule = {
          running: true,
          intervalMs,
          lastSlotAt: last,
          nextSlotAt: last + intervalMs,
          waiting: 0,
          overflowTotal: 0,
        };
        const beyond = Math.floor((part / 1_000_000) * intervalMs);
        const { slots, overflow } = tick(schedule, last + k * intervalMs + beyond, capacity);
        expect(slots.length + overflow).toBe(k);
        expect(slots.length).toBe(Math.min(k, capacity));
        expect(tick(schedule, last + intervalMs - 1, capacity).slots).toEqual([]);
      }),
    );
  });
});
