import { StepBack } from './step-back.js';

const INTERVAL_MS = 30_000;

const after = (...ways: ('works' | 'doubtful' | 'down' | 'untried')[]) => {
  const stepBack = new StepBack();
  for (const way of ways) stepBack.ended({ way });
  return (intervalMs = INTERVAL_MS) => stepBack.handicapMs(intervalMs);
};

describe('a replica that steps back', () => {
  it('comes later with each run whose way was down, and by an interval or a minute at most', () => {
    expect(after()()).toBe(0);
    expect(after('down')()).toBe(250);
    expect(after('down', 'down')()).toBe(1_000);
    expect(after('down', 'down', 'down')()).toBe(4_000);
    expect(after(...Array<'down'>(600).fill('down'))()).toBe(INTERVAL_MS);
    expect(after(...Array<'down'>(600).fill('down'))(3_600_000)).toBe(60_000);
  });

  it('comes a second later at most, or half an interval, while that is not certain', () => {
    expect(after('doubtful')()).toBe(250);
    expect(after('doubtful', 'doubtful', 'doubtful')()).toBe(1_000);
    expect(after('doubtful', 'doubtful', 'doubtful')(1_000)).toBe(500);
  });

  it('is in time again when something got through, and is neither for a run that tried nothing', () => {
    expect(after('down', 'down', 'untried')()).toBe(1_000);
    expect(after('down', 'down', 'untried', 'works')()).toBe(0);
  });

  it('is in time again when it is forgiven', () => {
    const stepBack = new StepBack();
    for (const way of ['down', 'down', 'down'] as const) stepBack.ended({ way });
    stepBack.forgive();
    expect(stepBack.handicapMs(INTERVAL_MS)).toBe(0);
    stepBack.ended({ way: 'down' });
    expect(stepBack.handicapMs(INTERVAL_MS)).toBe(250);
  });
});
