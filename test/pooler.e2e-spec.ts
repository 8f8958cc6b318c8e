import { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { Outage } from './support/outage.js';
import { PgBouncer } from './support/pgbouncer.js';
import { Stage } from './support/stage.js';

jest.setTimeout(60_000);

/** Fewer than the service's connections, so that they are handed around. */
const SERVER_CONNECTIONS = 3;

describe('PgBouncer', () => {
  let stage: Stage;
  let bouncer: PgBouncer;

  beforeEach(async () => {
    stage = await Stage.set();
  });
  afterEach(async () => {
    await stage.strike();
    await bouncer.remove();
  });

  const allSentOnce = async (ids: readonly number[]) => {
    const sent = await stage.database.query(
      `SELECT id FROM messages WHERE id = ANY ($1) AND sent_status AND attempts = 1`,
      [ids],
    );
    expect(sent).toHaveLength(ids.length);
    const keys = stage.receiver.ledger.map(({ headers }) => headers['idempotency-key']);
    expect([keys.length, new Set(keys).size]).toEqual([ids.length, ids.length]);
  };

  it('in transaction mode without a direct URL ends the start with one line that names the remedy', async () => {
    bouncer = await PgBouncer.started(stage.database.url, 'transaction', SERVER_CONNECTIONS);
    const app = await DispatcherProcess.start({ env: { APP_DB_URL: bouncer.url }, listening: false });
    expect(await app.exitCode()).toBe(1);
    const errors = app.lines.filter((line) => line['log.level'] === 'error');
    expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining('APP_DB_DIRECT_URL')]);
    expect(app.printed).toHaveLength(app.lines.length);
    await app.dispose();
  });

  it('in session mode is used as PostgreSQL itself', async () => {
    bouncer = await PgBouncer.started(stage.database.url, 'session', 20);
    await stage.replica({ rate_limit: 50 }, { APP_DB_URL: bouncer.url });
    const ids = await stage.database.insertMessages(100);
    await eventually(() => allSentOnce(ids), 10_000);
  });

  it('in transaction mode with a direct URL carries two replicas, which hear each other, and may be restarted', async () => {
    bouncer = await PgBouncer.started(stage.database.url, 'transaction', SERVER_CONNECTIONS);
    const env = { APP_DB_URL: bouncer.url, APP_DB_DIRECT_URL: stage.database.url };
    const one = await stage.replica({ rate_limit: 50, scheduler_workers: 2 }, env);
    const other = await stage.replica({ rate_limit: 50, scheduler_workers: 2 }, env);
    const first = await stage.database.insertMessages(400);
    await eventually(() => allSentOnce(first), 20_000);

    const listening = await stage.database.query(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '% listening'`,
    );
    expect(listening).toHaveLength(2);
    expect((await one.post('/stop')).text).toBe('"Stopped"');
    await other.logged(/stopped/i);
    const second = await stage.database.insertMessages(100);
    expect((await other.post('/start')).text).toBe('"Started"');
    await eventually(() => expect(stage.receiver.ledger.length).toBeGreaterThan(first.length), 10_000);

    const outage = new Outage(one);
    await bouncer.kill();
    await outage.logged(/out of reach|cannot be written|could be claimed/);
    await outage.ends(
      () => bouncer.start(),
      () => allSentOnce([...first, ...second]),
    );
    expect([...one.lines, ...other.lines].filter(({ message }) => /prepared statement/.test(message))).toEqual([]);
  });
});
