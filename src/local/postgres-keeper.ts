import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_MS = 1_000;
/** After a start that failed. */
const RETRY_MS = 5_000;
/** How long the end of the service waits for a start that is under way. */
const CLOSE_MS = 3_000;

interface Kept {
  readonly isRunning: () => Promise<boolean>;
  /** Ends early, with an error, when the signal aborts. */
  readonly start: (signal: AbortSignal) => Promise<void>;
  readonly log: (line: string) => void;
}

/**
 * Starts a server again that ended though nothing of this service told it to, as when the system killed it for want of memory.
 * It says so, and a reason why it cannot be started once.
 */
export class PostgresKeeper {
  private readonly closing = new AbortController();
  private readonly loop: Promise<void>;
  private trouble: string | null = null;

  constructor(private readonly kept: Kept) {
    this.loop = this.keep();
  }

  /** From now on the server stays as it is. */
  async close(): Promise<void> {
    this.closing.abort();
    await Promise.race([this.loop, sleep(CLOSE_MS, undefined, { ref: false })]);
  }

  private async keep(): Promise<void> {
    const { signal } = this.closing;
    for (let pauseMs = LOOK_MS; !signal.aborted; pauseMs = await this.look(signal)) {
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** Returns when to look again. */
  private async look(signal: AbortSignal): Promise<number> {
    const { isRunning, start, log } = this.kept;
    try {
      if (signal.aborted || (await isRunning())) return LOOK_MS;
      if (this.trouble === null) log('PostgreSQL has ended, though this service did not end it; it is started again');
      await start(signal);
      this.trouble = null;
      log('PostgreSQL runs again');
      return LOOK_MS;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.trouble && !signal.aborted)
        log(`PostgreSQL cannot be started again: ${reason}. It is tried every ${RETRY_MS / 1000} s`);
      this.trouble = reason;
      return RETRY_MS;
    }
  }
}
