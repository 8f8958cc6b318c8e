import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import type { StaticSettings } from '../src/config/static-settings.js';
import { DeliveryReceipts } from '../src/dispatch/delivery-receipts.js';
import { RedisConnection } from '../src/redis.js';
import { redisClients } from '../src/redis-clients.js';
import { eventually } from './support/eventually.js';
import { RedisServer } from './support/redis-server.js';

const INSTALLATION = '4d3b9f3e-6a55-4c0e-9d5b-8d1c6e0f2a71';

const lines: string[] = [];
const note = (message: unknown) => lines.push(String(message));

describe('one Redis behind one address', () => {
  let redis: RedisServer;
  let module: TestingModule;
  let connection: RedisConnection;
  let receipts: DeliveryReceipts;

  beforeAll(async () => {
    redis = await RedisServer.started(['--maxmemory', '500mb', '--maxmemory-policy', 'allkeys-lru']);
    await redis.hands.call('ACL', 'SETUSER', 'dispatcher', 'on', '>pw', 'allkeys', 'allcommands');
    await redis.hands.call('ACL', 'SETUSER', 'default', 'resetpass', '>other');
    const settings: NonNullable<StaticSettings['redis']> = {
      mode: 'single',
      nodes: [{ host: '127.0.0.1', port: redis.port }],
      tls: false,
      username: 'dispatcher',
      password: 'pw',
      sentinelPassword: null,
      db: 0,
    };
    module = await Test.createTestingModule({
      imports: redisClients(settings),
      providers: [RedisConnection, DeliveryReceipts],
    })
      .setLogger({ log: note, warn: note, error: note })
      .compile();
    await module.init();
    connection = module.get(RedisConnection);
    receipts = module.get(DeliveryReceipts);
  });
  afterAll(async () => {
    await module.close();
    await redis.remove();
    Logger.overrideLogger(false);
  });

  const keep = (id: number) => receipts.keep(INSTALLATION, 1, [{ id, messageId: null, sentAtMs: 0, messageHash: '' }]);

  it('lets in the user that the settings name, and is warned of when it drops keys', async () => {
    expect(await connection.waitUntilConnected(5_000)).toBe(true);
    expect(connection.status).toBe('up');
    await eventually(() => expect(lines.join('\n')).toContain('maxmemory-policy allkeys-lru'));
  });

  it('is connected to anew when it says that it is no master any more, and is not up until it takes a write', async () => {
    let connections = 0;
    connection.onReady(() => (connections += 1));
    expect(connections).toBe(1);
    await redis.hands.replicaof('127.0.0.1', 1);
    keep(1);
    await eventually(() => expect(connection.status).toBe('down'));
    await eventually(() => expect(connections).toBe(2), 10_000);
    expect(connection.status).toBe('down');
    await redis.hands.replicaof('NO', 'ONE');
    keep(2);
    await eventually(() => expect(connection.status).toBe('up'));
    // Beside the first line: it does not go on connecting.
    expect(connections).toBe(2);
  });

  it('is not up while it has no memory for receipts', async () => {
    await redis.hands.config('SET', 'maxmemory-policy', 'noeviction');
    await redis.hands.config('SET', 'maxmemory', '1');
    keep(3);
    await eventually(() => expect(connection.status).toBe('down'));
    // It still takes what needs no memory, which says nothing of receipts.
    receipts.expireSoon(INSTALLATION, 1, [0]);
    for (let answers = 0; answers < 2; answers += 1) await connection.connected?.get('answered after it');
    expect(connection.status).toBe('down');
    await redis.hands.config('SET', 'maxmemory', '0');
    keep(4);
    await eventually(() => expect(connection.status).toBe('up'));
  });
});
