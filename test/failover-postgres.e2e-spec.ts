import { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { Outage } from './support/outage.js';
import { PostgresServer } from './support/postgres-server.js';
import { Receiver } from './support/receiver.js';
import { TestDatabase } from './support/test-database.js';

jest.setTimeout(90_000);

const WITHOUT = /outcomes cannot be written|the schedule is out of reach|no messages could be claimed/;

/** One URL for a database on several servers. */
function urlOn(name: string, ...servers: readonly PostgresServer[]): string {
  const hosts = servers.map(({ url }) => new URL(url).host).join(',');
  return `postgres://postgres@${hosts}/${name}?sslmode=disable&target_session_attrs=read-write`;
}

/** Where the service's connections are, listening ones and others. */
async function connectionsTo(server: PostgresServer) {
  const rows = await server.query<{ application_name: string }>(
    `SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'message-dispatcher%'`,
  );
  return rows.map((row) => row.application_name);
}

describe('PostgreSQL on two servers', () => {
  let primary: PostgresServer;
  let standby: PostgresServer;
  let database: TestDatabase;
  let receiver: Receiver;
  let app: DispatcherProcess;

  beforeEach(async () => {
    primary = await PostgresServer.started();
    database = await TestDatabase.create(primary.url);
    standby = await primary.followed();
    receiver = await Receiver.start();
  });
  afterEach(async () => {
    await app.dispose();
    await receiver.stop();
    await standby.remove();
    await primary.remove();
  });

  const start = async (url: string, live: Readonly<Record<string, unknown>> = {}) => {
    app = await DispatcherProcess.start({
      env: { APP_DB_URL: url },
      live: { rate_limit: 50, scheduler_interval: 1, webhook_url: receiver.url, ...live },
    });
  };
  const sending = async (count: number) => {
    const ids = await database.insertMessages(count);
    await eventually(() => expect(receiver.ledger.length).toBeGreaterThanOrEqual(60), 10_000);
    expect(receiver.ledger.length).toBeLessThan(count);
    return ids;
  };
  /** By the receiver's ledger and by the rows. */
  const allSentOnce = async (ids: readonly number[]) => {
    const rows = await database.query(
      `SELECT id, sent_status, attempts, claimed_by FROM messages WHERE id = ANY ($1) ORDER BY id`,
      [ids],
    );
    expect(rows).toEqual(ids.map((id) => ({ id, sent_status: true, attempts: 1, claimed_by: null })));
    const keys = receiver.ledger.map(({ headers }) => headers['idempotency-key']);
    expect({ lost: ids.length - new Set(keys).size, doubled: keys.length - new Set(keys).size }).toEqual({
      lost: 0,
      doubled: 0,
    });
  };

  it.each(['hold', 'resend'])(
    'the first killed and the second promoted during sending: nothing is lost or doubled with on_uncertain: %s',
    async (policy) => {
      await start(urlOn(new URL(database.url).pathname.slice(1), primary, standby), { on_uncertain: policy });
      const ids = await sending(200);
      const outage = new Outage(app);
      await primary.stop('killed');
      await outage.logged(WITHOUT);
      database = database.at(standby.url);
      const before = receiver.ledger.length;
      const promotedAt = performance.now();
      await outage.ends(
        () => standby.promote(),
        () => allSentOnce(ids),
      );
      const pause = Math.round((receiver.ledger[before]?.at ?? Number.NaN) - promotedAt);
      process.stderr.write(`the first request ${pause} ms after the promotion was asked for\n`);
    },
  );

  it('the primary named second is found at the start, and left when it is fenced and still answers', async () => {
    const name = new URL(database.url).pathname.slice(1);
    await start(urlOn(name, standby, primary));
    await eventually(async () => {
      expect(await connectionsTo(primary)).toContain('message-dispatcher listening');
    });
    const ids = await sending(200);
    const outage = new Outage(app);
    // As a switchover by hand: the old primary is open for reading, and follows nobody.
    await primary.query(`ALTER SYSTEM SET synchronous_standby_names = ''`);
    await primary.setReadOnly(true);
    await outage.logged(WITHOUT);
    const fenced = primary;
    database = database.at(standby.url);
    let all = ids;
    await outage.ends(
      async () => {
        await standby.promote();
        all = [...ids, ...(await eventually(() => database.insertMessages(5)))];
      },
      async () => {
        await allSentOnce(all);
        expect(await connectionsTo(fenced)).toEqual([]);
        expect(await connectionsTo(standby)).toContain('message-dispatcher listening');
      },
    );
  });
});
