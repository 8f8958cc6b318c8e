import { Injectable, Logger, Optional, type OnModuleInit } from '@nestjs/common';
import { ClusterService, RedisService } from '@liaoliaots/nestjs-redis';
import type { Cluster, Redis } from 'ioredis';

/**
 * What a single Redis, one behind Sentinel and a Cluster have in common. In a Cluster, the keys of one command or one
 * pipeline must have the same hash tag: the part of the key in braces.
 */
export type RedisClient = Pick<Redis, 'get' | 'set' | 'mget' | 'mset' | 'hset' | 'expire' | 'pipeline'>;

/**
 * The Redis connection, which may be absent or down at any time: nothing that is kept there is needed for sending.
 * Says once when it is lost and once when it is back.
 */
@Injectable()
export class RedisConnection implements OnModuleInit {
  private readonly logger = new Logger('Redis');
  private readonly client: Redis | Cluster | null;
  private lostLogged = false;
  private writesRefused = false;
  private saidPolicy: string | null = null;

  constructor(@Optional() redisService?: RedisService, @Optional() clusterService?: ClusterService) {
    this.client = redisService?.getOrNil() ?? clusterService?.getOrNil() ?? null;
  }

  /** `off`: none is configured; `down`: it is out of reach, or the last write was refused (READONLY, OOM). */
  get status(): 'off' | 'up' | 'down' {
    if (this.client === null) return 'off';
    return this.client.status === 'ready' && !this.writesRefused ? 'up' : 'down';
  }

  /** The client while it is connected, else null. */
  get connected(): RedisClient | null {
    return this.client?.status === 'ready' ? this.client : null;
  }

  /** Told by whoever writes: whether Redis took the last write. */
  noteWrite(taken: boolean): void {
    this.writesRefused = !taken;
  }

  /** Calls `listener` each time that a connection is ready, at once when it is now. */
  onReady(listener: () => void): void {
    this.client?.on('ready', listener);
    if (this.connected) listener();
  }

  /** Resolves when connected, or after `timeoutMs` without; says which. */
  async waitUntilConnected(timeoutMs: number): Promise<boolean> {
    const { client } = this;
    if (client === null || client.status === 'ready') return client !== null;
    return await new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        client.off('ready', settle);
        resolve(client.status === 'ready');
      };
      const timer = setTimeout(settle, timeoutMs);
      client.on('ready', settle);
    });
  }

  onModuleInit(): void {
    this.client?.on('error', (error: Error) => {
      if (this.lostLogged) return;
      this.lostLogged = true;
      this.logger.warn({ err: error }, 'Redis is out of reach; sending goes on without receipts until it is back');
    });
    this.client?.on('ready', () => {
      if (this.lostLogged) this.logger.log('Redis is back');
      this.lostLogged = false;
      void this.checkPolicy();
    });
    // It may have been ready before this module was.
    if (this.connected) void this.checkPolicy();
  }

  /** Says when Redis may drop receipts that have their time still. Best effort: not everybody may ask. */
  private async checkPolicy(): Promise<void> {
    const memory = await this.client?.info('memory').catch(() => '');
    const policy = /^maxmemory_policy:(\S+)/m.exec(memory ?? '')?.[1] ?? 'noeviction';
    const limited = /^maxmemory:[1-9]/m.test(memory ?? '');
    const evicts = limited && policy !== 'noeviction';
    if (evicts && this.saidPolicy !== policy) {
      this.logger.warn(
        `Redis drops keys when its memory is full (maxmemory-policy ${policy}), receipts too, which a crash may then miss: ` +
          'set maxmemory-policy noeviction',
      );
    }
    this.saidPolicy = evicts ? policy : null;
  }
}
