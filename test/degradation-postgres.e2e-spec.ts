import { Client } from 'pg';
import { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { Outage } from './support/outage.js';
import { PostgresServer } from './support/postgres-server.js';
import { accept, Receiver } from './support/receiver.js';
import { TcpProxy, type Tap } from './support/tcp-proxy.js';
import { TestDatabase } from './support/test-database.js';

jest.setTimeout(60_000);

const WITHOUT = /outcomes cannot be written|the schedule is out of reach|no messages could be claimed/;

const hearNothing: Tap = () => undefined;

describe('a PostgreSQL that', () => {
  let server: PostgresServer;
  let way: TcpProxy;
  let database: TestDatabase;
  let receiver: Receiver;
  let app: DispatcherProcess;
  /** Hears what the service asks. */
  let listener = hearNothing;

  beforeAll(async () => {
    server = await PostgresServer.started();
    database = await TestDatabase.create(server.url);
    way = await TcpProxy.to(database.url, () => (asked) => listener(asked));
    receiver = await Receiver.start();
    app = await DispatcherProcess.start({
      env: { APP_DB_URL: way.url },
      live: { rate_limit: 50, scheduler_interval: 1, webhook_url: receiver.url },
    });
  });
  afterAll(async () => {
    await app.dispose();
    await receiver.stop();
    await way.stop();
    await server.remove();
  });

  /** Messages of which four were sent, some are in flight and the rest waits. */
  const midJob = async () => {
    let count = 0;
    receiver.behave = (received, response) => {
      count += 1;
      void (count > 4 ? receiver.hold : accept)(received, response);
    };
    const ids = await database.insertMessages(30);
    await eventually(() => expect(receiver.open).toBeGreaterThanOrEqual(5));
    return ids;
  };
  const letGo = () => {
    receiver.behave = accept;
    receiver.letGo();
  };
  /** Each message went out once, is marked, and belongs to nobody. */
  const allSentOnce = async (ids: readonly number[]) => {
    const rows = await database.query(
      `SELECT id, sent_status, attempts, claimed_by,
         (SELECT array_agg(outcome) FROM delivery_attempts WHERE message_id = messages.id) AS outcomes
       FROM messages WHERE id = ANY ($1) ORDER BY id`,
      [ids],
    );
    expect(rows).toEqual(
      ids.map((id) => ({ id, sent_status: true, attempts: 1, claimed_by: null, outcomes: ['accepted'] })),
    );
    const keys = receiver.ledger.map(({ headers }) => headers['idempotency-key']);
    expect(keys.length).toBe(new Set(keys).size);
  };
  /** Ends the cause; healed is who has sent and marked what was left and what came after. */
  const ends = async (outage: Outage, end: () => unknown, ids: readonly number[], mostAlarms?: number) => {
    let all = ids;
    await outage.ends(
      async () => {
        await end();
        all = [...ids, ...(await database.insertMessages(5))];
      },
      () => allSentOnce(all),
      mostAlarms,
    );
  };

  it('is stopped in mid-job and started again is told what was sent meanwhile', async () => {
    const ids = await midJob();
    const outage = new Outage(app);
    await server.stop('fast');
    letGo();
    await outage.logged(WITHOUT);
    await outage.lasts(4_000);
    await ends(outage, () => server.start(), ids);
  });

  it('crashes in mid-job and recovers is told what was sent meanwhile', async () => {
    const ids = await midJob();
    const outage = new Outage(app);
    await server.stop('immediate');
    letGo();
    await ends(outage, () => server.start(), ids);
  });

  it('has no connection left is used again when it has', async () => {
    const ids = await midJob();
    const outage = new Outage(app);
    const eaters: Client[] = [];
    const watcher = await server.connect();
    const eat = async () => {
      for (;;) {
        const eater = await server.connect().catch(() => null);
        if (eater === null) return;
        eaters.push(eater);
      }
    };
    await eat();
    await eventually(async () => {
      const { rows } = await watcher.query<{ count: string }>(
        `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'message-dispatcher%'`,
      );
      await eat();
      expect(Number(rows[0]?.count)).toBe(0);
    });
    letGo();
    await outage.logged(WITHOUT);
    await outage.lasts(4_000);
    await ends(outage, () => Promise.all([watcher, ...eaters].map((client) => client.end())), ids);
  });

  it('becomes read-only is written to again when it may be', async () => {
    const ids = await midJob();
    const outage = new Outage(app);
    await server.setReadOnly(true);
    // The service's connections know by now: the setting is taken up between two statements of each.
    await eventually(async () => {
      const client = new Client({ connectionString: database.url });
      await client.connect();
      const { rows } = await client.query('SHOW transaction_read_only');
      await client.end();
      expect(rows).toEqual([{ transaction_read_only: 'on' }]);
    });
    letGo();
    await outage.logged(WITHOUT);
    await outage.lasts(4_000);
    await ends(outage, () => server.setReadOnly(false), ids);
  });

  it('has all its connections killed, over and over, is connected to again', async () => {
    const ids = await midJob();
    const outage = new Outage(app);
    await server.cutAll();
    letGo();
    let cuts = 1;
    await eventually(async () => {
      cuts += (await server.cutAll()) > 0 ? 1 : 0;
      expect(cuts).toBeGreaterThan(9);
    }, 20_000);
    await ends(outage, () => undefined, ids, 2 * cuts);
  });

  it.each(['scheduler.apply', 'messages.open-job', 'messages.claim', 'messages.settle'])(
    'does what %s asks while its reply is lost keeps nothing waiting',
    async (statement) => {
      const outage = new Outage(app);
      const asked = new Promise<void>((resolve) => {
        listener = (piece) => {
          if (!piece.includes(statement)) return;
          listener = hearNothing;
          way.loseReplies();
          resolve();
        };
      });
      const ids = await database.insertMessages(10);
      await asked;
      await outage.logged(new RegExp(`${WITHOUT.source}|a job failed`));
      await ends(outage, () => way.mend(), ids);
    },
  );

  it.each([2_000, 12_000])('is behind a way that swallows everything for %i ms is found again', async (ms) => {
    const ids = await midJob();
    const outage = new Outage(app);
    way.swallow();
    letGo();
    await outage.lasts(ms);
    await ends(outage, () => way.mend(), ids);
  });

  it('fails over to a standby behind the same address is followed there', async () => {
    const standby = await server.followed();
    try {
      const ids = await midJob();
      const outage = new Outage(app);
      await server.stop('immediate');
      letGo();
      await outage.logged(WITHOUT);
      await standby.promote();
      way.leadTo(standby.url);
      database = database.at(standby.url);
      await ends(outage, () => undefined, ids);
    } finally {
      await standby.remove();
    }
  });
});
