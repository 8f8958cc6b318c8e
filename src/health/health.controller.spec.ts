import { Test } from '@nestjs/testing';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { TerminusModule } from '@nestjs/terminus';
import { Database } from '../database.js';
import { LiveConfig } from '../config/live-config.js';
import { RedisConnection } from '../redis.js';
import { Retention } from '../retention/retention.js';
import { IntervalQueue } from '../scheduler/interval-queue.js';
import type { HandlerStatus } from '../scheduler/job.js';
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
  queue: {
    hangs: null as string | null,
    handlerStatus: null as HandlerStatus | null,
    condition: { turnsFailSince: null, jobsFailSince: null, slotOverdueSince: null, deafSince: null } as Record<
      string,
      Date | null
    >,
  },
  schema: { ready: true, publicProblem: null as string | null },
  redis: { status: 'up' },
  etcd: { name: 'etcd', connected: true, since: new Date(0) },
  retention: { trouble: null as string | null },
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
      { provide: Retention, useValue: world.retention },
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
    world.queue.hangs = 'The scheduler loop has hung';
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

  it('is 503 when the loop hangs or has ended', async () => {
    world.queue.hangs = 'The scheduler loop has hung';
    expect(await ask('/health/live')).toMatchObject({ status: 503, body: { error: { loop: { status: 'down' } } } });
  });
});

describe('GET /health/ready', () => {
  it('is 200 when all is well', async () => {
    expect(await ask('/health/ready')).toMatchObject({ status: 200, body: { status: 'ok', error: {} } });
  });

  it.each([
    ['the process is shutting down', () => app.get(Lifecycle).beginShutdown(), 'process'],
    [
      'the schema is old',
      () => Object.assign(world.schema, { ready: false, publicProblem: 'the schema is old' }),
      'schema',
    ],
    ['no webhook_url is set', () => (world.live.sendingObstacle = 'webhook_url is not set'), 'webhook'],
    ['turns have failed for long', () => (world.queue.condition['turnsFailSince'] = new Date(0)), 'scheduler'],
    ['jobs have failed for long', () => (world.queue.condition['jobsFailSince'] = new Date(0)), 'scheduler'],
    ['a slot has been overdue for long', () => (world.queue.condition['slotOverdueSince'] = new Date(0)), 'scheduler'],
    ['PostgreSQL refuses', () => (world.database.query = () => Promise.reject(new Error('no'))), 'postgres'],
    ['PostgreSQL hangs', () => (world.database.query = never), 'postgres'],
  ])('is 503 and says why when %s', async (_when, breakIt, name) => {
    breakIt();
    const began = performance.now();
    const { status, body } = await ask('/health/ready');
    expect(status).toBe(503);
    expect(body['error']).toEqual({ [name]: expect.objectContaining({ status: 'down', message: anyText }) as unknown });
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

  it('stays 200 for what has just begun and for a lost channel, and names it', async () => {
    const since = new Date();
    Object.assign(world.queue.condition, { turnsFailSince: since, deafSince: new Date(0) });
    expect(await ask('/health/ready')).toMatchObject({
      status: 200,
      body: {
        details: { scheduler: { turns_fail_since: since.toISOString(), deaf_since: '1970-01-01T00:00:00.000Z' } },
      },
    });
  });

  it('says that there is trouble, and repeats no word of PostgreSQL or of a receiver', async () => {
    const trouble = 'HTTP 404: no such number 905550000077';
    world.queue.handlerStatus = { inFlight: 3, concurrency: 1, concurrencyLimit: 64, trouble };
    const { status, body } = await ask('/health/ready');
    expect(status).toBe(200);
    expect(JSON.stringify(body)).not.toMatch(/404|905550000077/);
    expect(body).toMatchObject({
      details: { webhook: { inFlight: 3, trouble: expect.stringMatching('GET /scheduler') as unknown } },
    });
  });

  it('stays 200 when retention is kept from something, and tells it', async () => {
    world.retention.trouble = 'dispatcher may not delete messages, so none is deleted until GRANT DELETE';
    const { status, body } = await ask('/health/ready');
    expect([status, JSON.stringify(body)]).toEqual([200, expect.not.stringMatching(/GRANT|may not/) as unknown]);
    expect(body).toMatchObject({
      details: { retention: { status: 'up', trouble: expect.stringContaining('GET /retention') as unknown } },
    });
  });

  it('stays 200 while lines of the log are lost, and tells how many since when', () => {
    const { log } = app.get(HealthIndicators).log({ lines: 70, warnings: 2, since: new Date(0) });
    expect(log).toEqual({
      status: 'up',
      missing_lines: 70,
      missing_warnings: 2,
      missing_since: '1970-01-01T00:00:00.000Z',
    });
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
