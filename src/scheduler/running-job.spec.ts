import { LEASE_MS, RunningJob, type WindingReason } from './running-job.js';

describe('a job when its run is over', () => {
  const jobs: RunningJob[] = [];
  const running = (grantedFrom = performance.now()): RunningJob => {
    const tenure = { id: 1, fence: 1, dueAt: new Date(), failures: 0, tail: false };
    const job = new RunningJob(
      tenure,
      { takenFrom: grantedFrom, grantedFrom, dueFrom: grantedFrom, requestLimitMs: 10_000 },
      () => Promise.resolve(true),
    );
    jobs.push(job);
    return job;
  };
  afterEach(() => Promise.all(jobs.splice(0).map((job) => job.end())));

  it('does not go on when the run came to its end', () => {
    expect(running().resumable).toBe(false);
  });

  it.each<[WindingReason, boolean]>([
    ['stopped', false],
    ['worn out', false],
    ['shutdown', true],
    ['lease lost', true],
  ])('wound down for %s goes on: %s', (reason, expected) => {
    const job = running();
    job.windDown(reason);
    expect(job.resumable).toBe(expected);
  });

  it.each<WindingReason>(['stopped', 'worn out'])(
    'goes on when something was given up unwritten, also after it was wound down for %s',
    (reason) => {
      const job = running();
      job.windDown(reason);
      job.windDown('shutdown');
      job.abandon();
      expect(job.resumable).toBe(true);
    },
  );

  it.each<[WindingReason | null, boolean]>([
    [null, false],
    ['stopped', false],
    ['shutdown', false],
    ['lease lost', true],
  ])('leaves nothing to go on with when it trailed, also at the end of the process: %s', (reason, expected) => {
    const job = running();
    job.trail();
    expect(job.mayBegin()).toBe(false);
    if (reason !== null) job.windDown(reason);
    expect(job.resumable).toBe(expected);
  });

  it('goes on when it ended because its lease had passed unnoticed', () => {
    const job = running(performance.now() - LEASE_MS);
    expect(job.mayBegin()).toBe(false);
    expect(job.resumable).toBe(true);
  });
});
