import { Test } from '@nestjs/testing';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { TerminusModule } from '@nestjs/terminus';
import { Database } from '../database.js';
import { LiveConfig } from '../config/live-config.js';
import { RedisConnection } from '../redis.js';
import { IntervalQueue } from '../scheduler/interval-queue.js';
import { SchemaGate } from '../schema-gate.js';
import { DatabasePing } from './database-ping.js';
import { HealthController } from './health.controller.js';
import { HealthIndicators } from './health.indicators.js';
import { Lifecycle } from './lifecycle.js';

const anyText: unknown = expect.any(String);

const never = () => new Promise(() => undefined);

let world: ReturnType<typeof healthy>;

const healthy = () => ({
  database: { query: (): Promise<unknown> => Promise.resolve([]) },
  queue: { turning: true },
  schema: { ready: true, problem: null as string | null },
  redis: { status: 'up' },
  etcd: { name: 'etcd', connected: true, since: new Date(0) },
  live: {
    sendingObstacle: null as string | null,
    describe: () => ({ sources: [world.etcd] }),
  },
});

let app: NestFastifyApplication;

beforeEach(async () => {
  world = healthy();
  const module = await Test.createTestingModule({
    imports: [TerminusModule.forRoot({ logger: false })],
    controllers: [HealthController],
    providers: [
      DatabasePing,
      HealthIndicators,
      Lifecycle,
      { provide: Database, useValue: world.database },
      { provide: IntervalQueue, useValue: world.queue },
      { provide: SchemaGate, useValue: world.schema },
      { provide: RedisConnection, useValue: world.redis },
      { provide: LiveConfig, useValue: world.live },
    ],
  }).compile();
  app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false });
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
});

afterEach(() => app.close());

async function ask(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const reply = await app.inject(path);
  return { status: reply.statusCode, body: reply.json() };
}

describe('GET /health', () => {
  it('is exactly {"status":"healthy"}, whatever else is down', async () => {
    Object.assign(world.queue, { turning: false });
    world.database.query = never;
    const reply = await app.inject('/health');
    expect([reply.statusCode, reply.body]).toEqual([200, '{"status":"healthy"}']);
    expect(reply.headers['cache-control']).toBe('no-store');
  });
});

describe('GET /health/live', () => {
  it('says up while the loop turns, though the database hangs', async () => {
    world.database.query = never;
    expect(await ask('/health/live')).toMatchObject({ status: 200, body: { details: { loop: { status: 'up' } } } });
  });

  it('is 503 when the loop does not turn', async () => {
    Object.assign(world.queue, { turning: false });
    expect(await ask('/health/live')).toMatchObject({ status: 503, body: { error: { loop: { status: 'down' } } } });
  });
});

describe('GET /health/ready', () => {
  it('is 200 when all is well', async () => {
    expect(await ask('/health/ready')).toMatchObject({ status: 200, body: { status: 'ok', error: {} } });
  });

  it.each([
    ['the process is shutting down', () => app.get(Lifecycle).beginShutdown(), 'process'],
    ['the schema is old', () => Object.assign(world.schema, { ready: false, problem: 'the schema is old' }), 'schema'],
    ['no webhook_url is set', () => (world.live.sendingObstacle = 'webhook_url is not set'), 'webhook'],
    ['PostgreSQL refuses', () => (world.database.query = () => Promise.reject(new Error('no'))), 'postgres'],
    ['PostgreSQL hangs', () => (world.database.query = never), 'postgres'],
  ])('is 503 and says why when %s', async (_when, breakIt, name) => {
    breakIt();
    const began = performance.now();
    const { status, body } = await ask('/health/ready');
    expect(status).toBe(503);
    expect(body['error']).toEqual({ [name]: { status: 'down', message: anyText } });
    expect(performance.now() - began).toBeLessThan(4000);
  });

  it('asks a database that hangs once, however many probes wait', async () => {
    let queries = 0;
    world.database.query = () => {
      queries += 1;
      return never();
    };
    await Promise.all([ask('/health/ready'), ask('/health/ready'), ask('/health/ready')]);
    expect(queries).toBe(1);
  });

  it('stays 200 without Redis and etcd, and calls them stale', async () => {
    world.redis.status = 'down';
    world.etcd.connected = false;
    expect(await ask('/health/ready')).toMatchObject({
      status: 200,
      body: { details: { redis: { status: 'up', stale: true }, etcd: { status: 'up', stale: true } } },
    });
  });
});
