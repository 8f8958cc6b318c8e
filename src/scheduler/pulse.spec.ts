import { Pulse } from './pulse.js';

describe('Pulse', () => {
  let pulse: Pulse;
  beforeEach(() => (pulse = new Pulse()));

  it('beats while the loop rests, however long, and while a turn is under way', () => {
    expect(pulse.hangs(1e9)).toBeNull();
    pulse.turnBegins(1_000);
    expect(pulse.hangs(31_000)).toBeNull();
    pulse.turnEnds(true);
    expect(pulse.hangs(1e9)).toBeNull();
  });

  it('says that a turn hangs, and that the loop has ended', () => {
    pulse.turnBegins(1_000);
    expect(pulse.hangs(32_000)).toMatch(/hung in one turn for 31 s/);
    pulse.turnEnds(true);
    pulse.loopEnds();
    expect(pulse.hangs(32_000)).toMatch(/has ended, and the log says why/);
  });

  it('says since when turns fail, from the first of them until one succeeds', () => {
    pulse.turnEnds(false);
    const since = pulse.ailments(0).turnsFailSince;
    pulse.turnEnds(false);
    expect(pulse.ailments(0).turnsFailSince).toBe(since);
    pulse.turnEnds(true);
    expect(pulse.ailments(0).turnsFailSince).toBeNull();
  });

  it('says since when a slot is overdue', () => {
    pulse.turned(10_000);
    expect(pulse.ailments(14_000).slotOverdueSince).toBeNull();
    const since = pulse.ailments(40_000).slotOverdueSince?.getTime() ?? 0;
    expect(Math.abs(Date.now() - 30_000 - since)).toBeLessThan(1_000);
    pulse.turned(null);
    expect(pulse.ailments(40_000).slotOverdueSince).toBeNull();
  });
});
