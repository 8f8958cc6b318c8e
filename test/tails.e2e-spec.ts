import { setTimeout as sleep } from 'node:timers/promises';
import type { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { accept, type Behaviour, type Received } from './support/receiver.js';
import { Stage } from './support/stage.js';

jest.setTimeout(90_000);

const TIMEOUT_S = 15;
const RATE_LIMIT = 10;
/** A good message that waits for a silent one is later than this; one in time takes a second, and what a busy machine adds. */
const LATE_MS = 5_000;

interface Jobs {
  readonly running_jobs: readonly { readonly id: number; readonly tail_since: string | null }[];
  readonly recent_jobs: readonly { readonly id: number; readonly tail_since: string | null }[];
}

const numberOf = ({ content }: Received) => Number(content.split(' ')[1]);
const overview = async (app: DispatcherProcess) => (await app.get('/scheduler')).json<Jobs>();
const tailsOf = async (app: DispatcherProcess) =>
  (await overview(app)).running_jobs.filter(({ tail_since }) => tail_since !== null);
const twice = ({ receiver: { ledger } }: Stage) =>
  ledger.length - new Set(ledger.map(({ headers }) => headers['idempotency-key'])).size;
const stateOf = async ({ database }: Stage, id: number) =>
  await database.query(`SELECT sent_status, parked_as, claimed_by FROM messages WHERE id = $1`, [id]);

describe('a job that only waits for numbers that never answer', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.set();
  });
  afterEach(() => stage.strike());

  const silentIf = (isSilent: (number: number) => boolean, others: Behaviour = accept) => {
    stage.receiver.behave = (received, response) =>
      (isSilent(numberOf(received)) ? stage.receiver.hold : others)(received, response);
  };
  const live = { rate_limit: RATE_LIMIT, webhook_timeout: TIMEOUT_S, on_uncertain: 'hold', auto_sending: false };

  it('is in no later one’s way, is shown, counts for the ceiling, and a stop waits for it', async () => {
    const ceiling = 8;
    let open = 0;
    let most = 0;
    const slowly: Behaviour = async (received, response) => {
      open += 1;
      most = Math.max(most, open + stage.receiver.open);
      await sleep(20);
      open -= 1;
      void accept(received, response);
    };
    silentIf((number) => number % 25 === 0, slowly);
    const app = await stage.replica({ ...live, webhook_concurrency: ceiling });
    await stage.database.insertMessages(10 * RATE_LIMIT);
    await app.post('/start');
    const good = () => stage.receiver.ledger.filter((received) => numberOf(received) % 25 !== 0);
    await eventually(() => expect(good()).toHaveLength(96), 60_000);
    const jobs = await stage.jobs();
    const late = good().filter((received) => {
      const slot = jobs[Math.floor((numberOf(received) - 1) / RATE_LIMIT)];
      return received.wallAt - (slot?.dueAt ?? 0) > LATE_MS;
    });
    expect(late.map(({ content }) => content)).toEqual([]);
    expect(most).toBeLessThanOrEqual(ceiling);
    // One of them is the newest job, so it counts as a tail when the next one has begun.
    await stage.database.insertMessages(1);
    await eventually(async () => expect((await tailsOf(app)).length).toBeGreaterThanOrEqual(1));
    await eventually(async () => expect(await stage.sentCount()).toBe(97), 15_000);
    await eventually(async () => {
      const { running_jobs: running } = await overview(app);
      expect(running.filter(({ tail_since }) => tail_since === null)).toEqual([]);
      expect(running).not.toEqual([]);
    });
    let stopped = false;
    const stopping = app.post('/stop').finally(() => (stopped = true));
    await eventually(async () => expect((await stage.schedule()).running).toBe(false));
    // Many times as long as a stop takes to look.
    await sleep(500);
    expect(stopped).toBe(false);
    stage.receiver.letGo();
    expect((await stopping).text).toBe('"Stopped"');
    const after = await overview(app);
    expect(after.running_jobs).toEqual([]);
    expect(after.recent_jobs.some(({ tail_since }) => tail_since !== null)).toBe(true);
    expect(twice(stage)).toBe(0);
  });

  /** Of ten messages the fifth never gets an answer, nor does any from the twelfth on: one tail, and one job that sends. */
  const withTail = async (): Promise<DispatcherProcess> => {
    silentIf((number) => number === 5 || number >= 12);
    const app = await stage.replica({ ...live, webhook_timeout: 30 });
    await stage.database.insertMessages(30);
    await app.post('/start');
    await eventually(async () => expect(await tailsOf(app)).toHaveLength(1), 15_000);
    await eventually(() => expect(stage.receiver.open).toBeGreaterThanOrEqual(3), 15_000);
    return app;
  };

  it('passes to another replica when its own is killed, as the job beside it does: uncertain, and nothing twice', async () => {
    const app = await withTail();
    const other = await stage.successor(app);
    await app.end('SIGKILL');
    const asked = new Set(stage.receiver.ledger.map(numberOf));
    silentIf(() => false);
    await eventually(async () => expect((await overview(other)).running_jobs).toEqual([]), 40_000);
    await eventually(async () => {
      const left = `SELECT count(*) FROM messages WHERE NOT sent_status AND parked_as IS NULL`;
      expect(await stage.database.value(left)).toBe(0);
    }, 20_000);
    expect(await stateOf(stage, 5)).toEqual([{ sent_status: false, parked_as: 'uncertain', claimed_by: null }]);
    const unanswered = [...asked].filter((number) => number === 5 || number >= 12);
    const uncertain = await stage.database.query<{ id: number }>(
      `SELECT id FROM messages WHERE parked_as = 'uncertain' ORDER BY id`,
    );
    expect(uncertain.map(({ id }) => id)).toEqual(expect.arrayContaining(unanswered));
    expect(twice(stage)).toBe(0);
    const jobs = await stage.jobs();
    expect(jobs.filter(({ fence }) => fence > 1).length).toBeGreaterThanOrEqual(2);
    expect(jobs.every(({ attempts }) => attempts <= RATE_LIMIT)).toBe(true);
  });

  it('is waited for at the end of the process, and marked', async () => {
    const app = await withTail();
    const ending = app.end('SIGTERM');
    await app.logged(/SIGTERM: finishing/);
    await sleep(500);
    expect(app.child.exitCode).toBeNull();
    stage.receiver.letGo();
    expect(await ending).toBe(0);
    expect(await stateOf(stage, 5)).toEqual([{ sent_status: true, parked_as: null, claimed_by: null }]);
    expect(await stage.sentCount()).toBe(stage.receiver.ledger.length);
    const [tail] = (await stage.jobs()).filter(({ id }) => id === 1);
    expect(tail).toMatchObject({ state: 'done', fence: 1 });
  });
});
