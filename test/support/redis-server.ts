import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { eventually } from './eventually.js';
import { serverPort } from './server-port.js';
import { ServerProgram } from './server-program.js';

const REDIS = process.env['TEST_REDIS_SERVER_BIN'] ?? 'redis-server';
const READY_MS = 20_000;

/** A real Redis of the test's own, in memory alone, that it may stop, empty and bring back at the same address. */
export class RedisServer extends ServerProgram {
  /** What an operator does to it; a command fails at once while it is down. */
  readonly hands: Redis;
  private readonly folder = mkdtempSync(join(tmpdir(), 'redis-'));

  private constructor(
    readonly port: number,
    private readonly settings: readonly string[],
  ) {
    super();
    const at = settings.indexOf('--requirepass');
    this.hands = new Redis(port, '127.0.0.1', {
      ...(at < 0 ? {} : { password: String(settings[at + 1]) }),
      lazyConnect: true,
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      retryStrategy: () => 20,
    });
    this.hands.on('error', () => undefined);
  }

  static async started(settings: readonly string[] = []): Promise<RedisServer> {
    const server = await RedisServer.prepared(settings);
    await server.start();
    return server;
  }

  /** An address alone: nothing runs until `start`. */
  static async prepared(settings: readonly string[] = []): Promise<RedisServer> {
    return new RedisServer(await serverPort(), settings);
  }

  /** One that watches a master, with what its configuration file says; nothing runs until `start`. */
  static async preparedSentinel(configuration: string, settings: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await serverPort(), ['--sentinel', ...settings]);
    writeFileSync(server.configuration, configuration);
    return server;
  }

  /** As `APP_REDIS_ADDR` takes it. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  private get configuration(): string {
    return join(this.folder, 'redis.conf');
  }

  /** Starts it, empty; resolves when it answers. */
  async start(): Promise<void> {
    const options = `--port ${this.port} --bind 127.0.0.1 --dir ${this.folder} --appendonly no --daemonize no --save`;
    const file = existsSync(this.configuration) ? [this.configuration] : [];
    await this.run(REDIS, [...file, ...this.settings, ...options.split(' '), '']);
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
