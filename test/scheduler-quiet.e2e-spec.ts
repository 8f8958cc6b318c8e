import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';
import { StatementCounter } from './support/statement-counter.js';
import { TcpProxy } from './support/tcp-proxy.js';

jest.setTimeout(60_000);

describe('an idle service', () => {
  let stage: Stage;
  let proxy: TcpProxy;
  const statements = new StatementCounter();

  beforeAll(async () => {
    stage = await Stage.set();
    proxy = await TcpProxy.to(stage.database.url, statements.tap);
    await stage.replica({}, { APP_DB_URL: proxy.url });
  });
  afterAll(async () => {
    await stage.strike();
    await proxy.stop();
  });

  it('sends two queries per slot, none between slots, and no request', async () => {
    const slots = async (atLeast: number) =>
      await eventually(async () => {
        const count = (await stage.jobs()).length;
        expect(count).toBeGreaterThanOrEqual(atLeast);
        return { count, statements: statements.count };
      }, 10_000);
    const before = await slots(2);
    const after = await slots(before.count + 5);
    expect(after.statements - before.statements).toBe(2 * (after.count - before.count));
    expect(stage.receiver.ledger).toEqual([]);
    expect((await stage.jobs()).every(({ state, owner }) => state === 'done' && owner === null)).toBe(true);
  });
});
