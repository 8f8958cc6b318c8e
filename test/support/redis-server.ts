import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { eventually } from './eventually.js';

const REDIS = process.env['TEST_REDIS_SERVER_BIN'] ?? 'redis-server';
const READY_MS = 20_000;

const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** A real Redis of the test's own, in memory alone, that it may stop, empty and bring back at the same address. */
export class RedisServer {
  /** What an operator does to it; a command fails at once while it is down. */
  readonly hands: Redis;
  private readonly folder = mkdtempSync(join(tmpdir(), 'redis-'));
  private child: ChildProcess | null = null;

  private constructor(private readonly port: number) {
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
    const child = spawn(REDIS, [...options.split(' '), ''], { stdio: 'ignore' });
    alive.add(child);
    child.once('exit', () => alive.delete(child));
    this.child = child;
    await once(child, 'spawn');
    if (this.hands.status === 'wait') await this.hands.connect().catch(() => undefined);
    await eventually(() => this.hands.ping(), READY_MS);
  }

  /** At once and with all that it held, as `kill -9` does. */
  async kill(): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** The connections stay open, and nothing answers on them until `resume`. */
  pause(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  /** For good: nothing of it is left. */
  async remove(): Promise<void> {
    this.hands.disconnect();
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
