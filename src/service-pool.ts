import { setTimeout as sleep } from 'node:timers/promises';
import { Pool, type PoolClient, type PoolConfig } from 'pg';
import { DatabaseBusy } from './database-busy.js';
import { noteUnconnected } from './database-outage.js';
import { codeOf } from './described-error.js';

export interface ServicePoolConfig extends PoolConfig {
  /** How many calls may wait for a connection; further ones are refused with `DatabaseBusy`. None: as many as come. */
  readonly maxWaiting?: number;
}

type Connected = (error: Error | undefined, client: PoolClient | undefined, done: (release?: unknown) => void) => void;

const TOO_MANY_CONNECTIONS = '53300';
/** So long a pool makes do with the connections that it has, after the server refused one more. */
const MODEST_MS = 5_000;
const TRY_AGAIN_MS = 100;
const TRIES = 3;
const QUEUE_TIMEOUT_TEXT = /^timeout exceeded when trying to connect/;

/**
 * A pool that waits for a connection of its own when the server has none left for it (SQLSTATE 53300), and whose queue may be
 * bounded. A pool that has no connection at all tries three times, 100 ms apart.
 */
export class ServicePool extends Pool {
  private readonly size: number;
  private readonly maxWaiting: number | null;
  private modestUntil = -Infinity;

  constructor({ maxWaiting, ...config }: ServicePoolConfig) {
    super(config);
    this.size = this.options.max;
    this.maxWaiting = maxWaiting ?? null;
  }

  override connect(): Promise<PoolClient>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<PoolClient> | void {
    const connecting = this.connectPatiently();
    if (callback === undefined) return connecting;
    // The types of node-postgres say that an error is an Error; what a connection fails with always is one.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const tell = callback as (error: unknown, client: PoolClient | undefined, done: PoolClient['release']) => void;
    connecting.then(
      (client) => tell(undefined, client, (error) => client.release(error)),
      (error: unknown) => tell(error, undefined, () => undefined),
    );
  }

  private async connectPatiently(): Promise<PoolClient> {
    for (let tries = 1; ; tries += 1) {
      if (this.maxWaiting !== null && this.waitingCount >= this.maxWaiting) throw new DatabaseBusy();
      if (performance.now() > this.modestUntil) this.options.max = this.size;
      try {
        return await super.connect();
      } catch (error) {
        noteUnconnected(error);
        if (this.waitedInVain(error)) throw new DatabaseBusy(error);
        if (codeOf(error) !== TOO_MANY_CONNECTIONS || tries >= TRIES || this.ending) throw error;
        if (this.totalCount === 0) await sleep(TRY_AGAIN_MS);
        else this.makeDo();
      }
    }
  }

  /** What is asked for from now on waits for one of the connections that there are. */
  private makeDo(): void {
    this.modestUntil = performance.now() + MODEST_MS;
    this.options.max = this.totalCount;
  }

  private waitedInVain(error: unknown): boolean {
    return this.maxWaiting !== null && error instanceof Error && QUEUE_TIMEOUT_TEXT.test(error.message);
  }
}
