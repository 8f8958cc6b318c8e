import { DispatcherProcess } from './support/dispatcher-process.js';
import { Outage } from './support/outage.js';
import { PostgresServer } from './support/postgres-server.js';
import { accept, Receiver } from './support/receiver.js';
import type { SmallDisk } from './support/small-disk.js';
import { TestDatabase } from './support/test-database.js';

jest.setTimeout(60_000);

const DISK_BYTES = 8 * 1024 * 1024;

describe('a PostgreSQL whose disk is full', () => {
  let server: PostgresServer;
  let disk: SmallDisk;
  let database: TestDatabase;
  let receiver: Receiver;
  let app: DispatcherProcess;

  beforeAll(async () => {
    server = await PostgresServer.started();
    disk = await server.moveToDisk(DISK_BYTES);
    database = await TestDatabase.create(server.url);
    receiver = await Receiver.start();
    app = await DispatcherProcess.start({
      env: { APP_DB_URL: database.url },
      live: { auto_sending: false, rate_limit: 300, scheduler_interval: 1, webhook_url: receiver.url },
    });
  });
  afterAll(async () => {
    await app.dispose();
    await receiver.stop();
    await server.remove();
  });

  it('is told of everything that was sent once it has room again, and nothing is sent twice', async () => {
    const ids = await database.insertMessages(600);
    const outage = await new Promise<Outage>((resolve) => {
      receiver.behave = (received, response) => {
        if (receiver.ledger.length === 50) {
          disk.fill();
          resolve(new Outage(app));
        }
        return accept(received, response);
      };
      void app.post('/start');
    });
    await outage.logged(/outcomes cannot be written/);
    expect(app.printed.join('\n')).toContain('No space left on device');
    await outage.lasts(4_000);
    expect(receiver.ledger.length).toBeLessThanOrEqual(300);
    await outage.ends(
      () => disk.free(),
      async () => expect(await database.value('SELECT count(*) FROM messages WHERE NOT sent_status')).toBe(0),
    );
    const keys = receiver.ledger.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(ids.length);
    expect(new Set(keys).size).toBe(ids.length);
    expect(await database.value('SELECT count(*) FROM delivery_attempts')).toBe(ids.length);
  });
});
