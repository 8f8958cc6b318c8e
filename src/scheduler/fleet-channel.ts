import { Injectable, Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { StaticSettings } from '../config/static-settings.js';
import { primaryFinder, primaryOf } from '../data-source.js';
import { FollowingClient } from '../following-client.js';
import type { PrimaryFinder } from '../primary-finder.js';
import { SCHEDULER_CHANNEL } from './schedule-store.js';

const RECONNECT_MS = 500;

/**
 * Hears what other replicas did, over one listening connection of its own. Whatever was missed while that connection was
 * lost is covered by a call of the listener on every (re)connection. Keep-alive probes notice a peer that vanished.
 */
@Injectable()
export class FleetChannel {
  private readonly logger = new Logger('FleetChannel');
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private lostAt: number | null = null;

  private readonly primary: PrimaryFinder;

  constructor(dataSource: DataSource, { dbDirectUrl }: StaticSettings) {
    this.primary = dbDirectUrl === null ? primaryOf(dataSource) : primaryFinder(dbDirectUrl);
  }

  /** Calls `onNews` when a replica other than `self` changed something, and `onReconnect` after a time without a connection. */
  listen(self: string, onNews: () => void, onReconnect: () => void): void {
    this.running = this.stayConnected((from) => from !== self && onNews(), onReconnect);
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async stayConnected(onNews: (from?: string) => void, onReconnect: () => void): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.listenOnce(onNews, onReconnect);
      } catch (error) {
        if (this.lostAt === null && !signal.aborted) {
          this.lostAt = performance.now();
          this.logger.warn({ err: error }, 'lost the listening connection; connecting again until it is back');
        }
      }
      await sleep(RECONNECT_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Rejects when the connection ends; resolves when this side closes it. */
  private async listenOnce(onNews: (from?: string) => void, onReconnect: () => void): Promise<void> {
    const { signal } = this.stopping;
    const client = new FollowingClient({
      primary: this.primary,
      application_name: 'message-dispatcher listening',
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
    const ended = new Promise<void>((resolve, reject) => {
      client.on('error', reject);
      client.on('end', () => reject(new Error('the server closed the listening connection')));
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    ended.catch(() => undefined);
    try {
      await client.connect();
      client.on('notification', (notification) => onNews(notification.payload));
      await client.query(`LISTEN ${SCHEDULER_CHANNEL}`);
      if (this.lostAt !== null) {
        this.logger.log('the listening connection is back');
        this.lostAt = null;
        onReconnect();
      }
      onNews();
      await ended;
    } finally {
      client.removeAllListeners('end');
      await client.end().catch(() => undefined);
    }
  }
}
