import type { Client } from 'pg';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accept } from './support/receiver.js';
import { Stage } from './support/stage.js';
import { TcpProxy } from './support/tcp-proxy.js';

jest.setTimeout(40_000);

const LIMIT_MS = 15_000;
/** So long a process takes at most to end after its last request was answered; a second, and what a busy machine adds. */
const AFTERWARDS_MS = 3_000;

interface Ending {
  readonly code: number | null;
  readonly tookMs: number;
}

/** Signals a process and resolves when it has ended. */
async function end(app: DispatcherProcess, signal: NodeJS.Signals): Promise<Ending> {
  const since = performance.now();
  const code = await app.end(signal);
  return { code, tookMs: performance.now() - since };
}

/** Three messages, of which the receiver has one and does not answer it; the next slot is two minutes away. */
async function inMidJob(live: object = {}, throughProxy = false) {
  const stage = await Stage.set();
  const proxy = await TcpProxy.to(stage.database.url);
  const app = await stage.replica(
    { rate_limit: 3, scheduler_interval: 120, auto_sending: false, ...live },
    throughProxy ? { APP_DB_URL: proxy.url } : {},
  );
  stage.receiver.behave = stage.receiver.hold;
  await stage.database.insertMessages(3);
  await app.post('/start');
  await eventually(() => expect(stage.receiver.ledger).toHaveLength(1));
  const strike = async () => {
    await stage.strike();
    await proxy.stop();
  };
  return { stage, app, proxy, strike };
}

describe('a signal in mid-job', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    '(%s) makes it unready at once, lets the request in flight finish and be marked, and the next process sends the rest',
    async (signal) => {
      const { stage, app, strike } = await inMidJob();
      const ending = end(app, signal);
      await eventually(async () => {
        const ready = await app.get('/health/ready');
        expect(ready.status).toBe(503);
        // A look that had begun before the signal says `shutting_down` and no more.
        expect(ready.json()).toMatchObject({ error: { process: { status: 'down' } } });
      }, 5_000);
      expect((await app.get('/health')).status).toBe(200);
      expect(app.child.exitCode).toBeNull();

      const letGoAt = performance.now();
      stage.receiver.letGo();
      const { code } = await ending;
      expect(code).toBe(0);
      // It waits for the request in flight, and not for the next slot.
      expect(performance.now() - letGoAt).toBeLessThan(AFTERWARDS_MS);
      expect(app.lines.filter((line) => line['log.level'] === 'error')).toEqual([]);
      expect(stage.receiver.ledger).toHaveLength(1);
      expect(await stage.sentCount()).toBe(1);

      stage.receiver.behave = accept;
      await stage.successor(app);
      await eventually(async () => expect(await stage.sentCount()).toBe(3), 10_000);
      expect(stage.receiver.ledger.map(({ content }) => content)).toEqual(['text 1', 'text 2', 'text 3']);
      await strike();
    },
  );

  it('that comes twice is exit code 1 at once', async () => {
    const { app, strike } = await inMidJob();
    app.child.kill('SIGTERM');
    await app.logged(/SIGTERM: finishing/);
    const { code, tookMs } = await end(app, 'SIGINT');
    expect(code).toBe(1);
    expect(tookMs).toBeLessThan(5_000);
    await strike();
  });
});

describe('a signal while a job is being granted', () => {
  let stage: Stage;
  let other: Client;
  beforeEach(async () => {
    stage = await Stage.set();
    other = await stage.database.connect();
  });
  afterEach(async () => {
    await other.end();
    await stage.strike();
  });

  it('has it given back at once: no request is made, and the next process makes them', async () => {
    const first = await stage.replica({ rate_limit: 1, scheduler_interval: 20, auto_sending: false });
    await stage.database.insertMessages(3);
    await first.post('/start');
    // A job that is told to end while it winds up is given back, and counts another owner.
    await eventually(async () => expect((await stage.jobs())[0]?.state).toBe('done'));
    await first.end();
    // So much later one job runs and others wait, and no slot comes for long.
    await stage.age(65_000);
    stage.receiver.behave = stage.receiver.hold;
    const app = await stage.successor(first);
    await eventually(() => expect(stage.receiver.open).toBe(1));
    await eventually(async () => expect((await stage.schedule()).waiting).toBeGreaterThanOrEqual(1));
    await other.query('BEGIN');
    await other.query('SELECT FROM scheduler_state FOR UPDATE');
    stage.receiver.behave = accept;
    stage.receiver.letGo();
    // The end of that job and the grant of the next one are one statement.
    await eventually(async () =>
      expect(await stage.database.blocked()).toEqual([expect.stringContaining('UPDATE scheduler_state')]),
    );
    const ending = end(app, 'SIGTERM');
    await app.logged(/SIGTERM: finishing/);
    await other.query('COMMIT');
    expect((await ending).code).toBe(0);
    expect(stage.receiver.ledger).toHaveLength(2);

    await stage.successor(app);
    await eventually(async () => expect(await stage.sentCount()).toBe(3), 10_000);
    const jobs = (await stage.jobs()).filter(({ attempts }) => attempts > 0);
    expect(jobs).toMatchObject([{ fence: 1 }, { fence: 1 }, { fence: 2, attempts: 1 }]);
  });
});

describe('a signal to a process that has nothing to do', () => {
  let stage: Stage;
  beforeEach(async () => (stage = await Stage.set()));
  afterEach(() => stage.strike());

  it('is exit code 0 within a few seconds, although a client keeps its connection', async () => {
    const app = await stage.replica();
    await app.get('/health');
    const { code, tookMs } = await end(app, 'SIGTERM');
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(5_000);
    expect(app.lines.at(-1)?.message).toBe('Stopped');
  });

  it('is the same while it waits for its schema', async () => {
    const app = await stage.replica({}, { APP_ENV: 'production', APP_AUTH: 'none' });
    await app.logged(/schema is missing/);
    const linesBefore = app.lines.length;
    const { code, tookMs } = await end(app, 'SIGTERM');
    expect(code).toBe(0);
    expect(app.lines.slice(linesBefore).filter((line) => line['log.level'] === 'error')).toEqual([]);
    expect(tookMs).toBeLessThan(3_000);
    expect(app.lines.at(-1)?.message).toBe('Stopped');
  });
});

describe('what hangs', () => {
  /** Both at once, since each takes most of the time that there is. */
  let hung: Awaited<ReturnType<typeof inMidJob>>;
  let cutOff: Awaited<ReturnType<typeof inMidJob>>;
  let endings: Promise<readonly [Ending, Ending]>;

  beforeAll(async () => {
    [hung, cutOff] = await Promise.all([inMidJob({ webhook_timeout: 60 }), inMidJob({}, true)]);
    endings = Promise.all([end(hung.app, 'SIGTERM'), end(cutOff.app, 'SIGTERM')]);
    cutOff.proxy.cut();
    cutOff.stage.receiver.letGo();
  });
  afterAll(() => Promise.all([hung.strike(), cutOff.strike()]));

  it('a receiver that never answers does not keep the process longer than 15 s, and the exit code is 0', async () => {
    const [{ code, tookMs }] = await endings;
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(LIMIT_MS);
    expect(tookMs).toBeGreaterThan(5_000);
    expect(await hung.stage.database.query('SELECT outcome FROM delivery_attempts')).toEqual([
      { outcome: 'uncertain' },
    ]);
    expect(await hung.stage.sentCount()).toBe(0);
  });

  it('a PostgreSQL that went away meanwhile does not either', async () => {
    const [, { code, tookMs }] = await endings;
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(LIMIT_MS);
    expect(cutOff.app.printed.at(-1)).toMatch(/Stopped|The process ends/);
  });
});
