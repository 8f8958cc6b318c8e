import type { Client } from 'pg';
import { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { PostgresServer } from './support/postgres-server.js';
import { Receiver } from './support/receiver.js';
import { TestDatabase } from './support/test-database.js';

jest.setTimeout(60_000);

describe('a server whose queue of notifications another application keeps full', () => {
  let server: PostgresServer;
  let database: TestDatabase;
  let receiver: Receiver;
  let app: DispatcherProcess;
  let idle: Client;

  /** A session that listens and leaves a transaction open keeps the queue of all databases from being freed. */
  const fillQueue = async () => {
    idle = await server.connect();
    await idle.query('LISTEN other');
    await idle.query('BEGIN');
    await idle.query('SELECT 1');
    const notifying = await server.connect();
    const fill = async () => {
      for (;;) await notifying.query(`SELECT pg_notify('other', repeat('x', 7000) || $1)`, [String(Math.random())]);
    };
    await expect(fill()).rejects.toMatchObject({ code: '54000' });
    await notifying.end();
  };

  beforeAll(async () => {
    server = await PostgresServer.started({ max_notify_queue_pages: '64' });
    database = await TestDatabase.create(server.url);
    receiver = await Receiver.start();
    await fillQueue();
    app = await DispatcherProcess.start({
      env: { APP_DB_URL: database.url },
      live: { rate_limit: 1, scheduler_interval: 1, webhook_url: receiver.url },
    });
  });
  afterAll(async () => {
    await app.dispose();
    await receiver.stop();
    await server.remove();
  });

  it('delays neither a first start nor jobs nor an operator, and is told once', async () => {
    await database.insertMessages(50);
    await eventually(() => expect(receiver.ledger.length).toBeGreaterThanOrEqual(3), 10_000);
    expect(await app.post('/stop')).toMatchObject({ status: 200, text: '"Stopped"' });
    const sent = receiver.ledger.length;
    expect(await app.post('/start')).toMatchObject({ status: 200, text: '"Started"' });
    await eventually(() => expect(receiver.ledger.length).toBeGreaterThanOrEqual(sent + 2), 10_000);
    expect(app.said(/PostgreSQL takes no notifications/)).toHaveLength(1);
    expect(app.said(/out of reach/)).toEqual([]);

    await idle.end();
    expect((await app.post('/stop')).status).toBe(200);
    await app.logged(/PostgreSQL takes notifications again/);
  });
});
