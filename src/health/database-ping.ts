import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Database, type Statement } from '../database.js';

export const PING_TIMEOUT_MS = 1000;

// A query may hang on a dead connection for minutes, long after others get through again.
const ABANDON_MS = 5000;

interface Ping {
  readonly askedAt: number;
  readonly answered: Promise<boolean>;
}

const PING: Statement = { name: 'health.ping', text: 'SELECT 1' };

/** Asks PostgreSQL for a sign of life, on the connections that sending uses: callers of the API cannot make it fail. */
@Injectable()
export class DatabasePing {
  private inFlight: Ping | null = null;

  constructor(private readonly database: Database) {}

  /**
   * Whether PostgreSQL answers within a second. Never throws. Callers at the same time share one query, so that probes
   * of a server that hangs do not pile up in the pool.
   */
  async answers(): Promise<boolean> {
    const patience = new AbortController();
    const gaveUp = delay(PING_TIMEOUT_MS, false, { signal: patience.signal }).catch(() => false);
    const answered = await Promise.race([this.ping().answered, gaveUp]);
    patience.abort();
    return answered;
  }

  private ping(): Ping {
    const now = performance.now();
    if (this.inFlight !== null && now - this.inFlight.askedAt < ABANDON_MS) return this.inFlight;
    const ping: Ping = { askedAt: now, answered: this.ask() };
    this.inFlight = ping;
    void ping.answered.finally(() => {
      if (this.inFlight === ping) this.inFlight = null;
    });
    return ping;
  }

  private async ask(): Promise<boolean> {
    try {
      await this.database.query(PING);
      return true;
    } catch {
      return false;
    }
  }
}
