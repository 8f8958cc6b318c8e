import { LeadTime } from './lead-time.js';
import { LEAD_MS, LONGEST_LEAD_MS } from './schedule.js';

const after = (...needed: number[]) => {
  const lead = new LeadTime();
  for (const ms of needed) lead.measured(ms);
  return lead;
};

describe('LeadTime', () => {
  it.each([
    ['is short before there was a job', [], 10_000, LEAD_MS],
    ['is short where jobs need less', [3, 20], 10_000, LEAD_MS],
    ['is what the slowest of the latest jobs needed', [120, 410.2, 90], 10_000, 411],
    ['forgets what was slow once', [900, 100, 100, 100, 100, 100], 10_000, 100],
    ['is half an interval at most', [800], 1_000, 500],
    ['has a limit in long intervals, too', [9_000], 3_600_000, LONGEST_LEAD_MS],
  ])('%s', (_, needed, intervalMs, expected) => {
    expect(after(...needed).ms(intervalMs)).toBe(expected);
  });
});
