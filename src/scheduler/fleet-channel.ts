import { Injectable, Logger } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { StaticSettings } from '../config/static-settings.js';
import { primaryFinder, primaryOf } from '../data-source.js';
import type { PrimaryFinder } from '../primary-finder.js';
import { listenOnce } from './listening-connection.js';
import { SCHEDULER_CHANNEL } from './schedule-hints.js';

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
  private deafFrom: Date | null = null;
  private saidLost = false;

  private readonly primary: PrimaryFinder;

  constructor(dataSource: DataSource, { dbDirectUrl }: StaticSettings) {
    this.primary = dbDirectUrl === null ? primaryOf(dataSource) : primaryFinder(dbDirectUrl);
  }

  /** Since when nothing is heard of other replicas; null while the channel listens, or was never asked to. */
  get deafSince(): Date | null {
    return this.deafFrom;
  }

  /** Calls `onNews` when a replica other than `self` changed something, and `onReconnect` after a time without a connection. */
  listen(self: string, onNews: () => void, onReconnect: () => void): void {
    this.deafFrom = new Date();
    this.running = this.stayConnected((from) => from !== self && onNews(), onReconnect);
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async stayConnected(onNews: (from?: string) => void, onReconnect: () => void): Promise<void> {
    const { signal } = this.stopping;
    const listener = {
      channel: SCHEDULER_CHANNEL,
      onNotification: onNews,
      onListening: () => {
        if (this.saidLost) {
          this.logger.log('the listening connection is back');
          onReconnect();
        }
        this.saidLost = false;
        this.deafFrom = null;
        onNews();
      },
    };
    while (!signal.aborted) {
      try {
        await listenOnce(this.primary, listener, signal);
      } catch (error) {
        if (!this.saidLost && !signal.aborted) {
          this.saidLost = true;
          this.logger.warn({ err: error }, 'lost the listening connection; connecting again until it is back');
        }
      }
      this.deafFrom ??= new Date();
      await sleep(RECONNECT_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
