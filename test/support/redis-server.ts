import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../../src/local/free-port.js';
import { eventually } from './eventually.js';
import { ServerProgram } from './server-program.js';

const REDIS = process.env['TEST_REDIS_SERVER_BIN'] ?? 'redis-server';
const READY_MS = 20_000;

/** A real Redis of the test's own, in memory alone, that it may stop, empty and bring back at the same address. */
export class RedisServer extends ServerProgram {
  /** What an operator does to it; a command fails at once while it is down. */
  readonly hands: Redis;
  private readonly folder = mkdtempSync(join(tmpdir(), 'redis-'));

  private constructor(private readonly port: number) {
    super();
    this.hands = new Redis(port, '127.0.0.1', {
      lazyConnect: true,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      retryStrategy: () => 20,
    });
    this.hands.on('error', () => undefined);
  }

  static async started(): Promise<RedisServer> {
    const server = await RedisServer.prepared();
    await server.start();
    return server;
  }

  /** An address alone: nothing runs until `start`. */
  static async prepared(): Promise<RedisServer> {
    return new RedisServer(await freePort());
  }

  /** As `APP_REDIS_ADDR` takes it. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts it, empty; resolves when it answers. */
  async start(): Promise<void> {
    const options = `--port ${this.port} --bind 127.0.0.1 --dir ${this.folder} --appendonly no --daemonize no --save`;
    await this.run(REDIS, [...options.split(' '), '']);
    if (this.hands.status === 'wait') await this.hands.connect().catch(() => undefined);
    await eventually(() => this.hands.ping(), READY_MS);
  }

  /** For good: nothing of it is left. */
  async remove(): Promise<void> {
    this.hands.disconnect();
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
