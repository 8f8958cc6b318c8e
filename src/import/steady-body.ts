import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { refuse } from '../error-mapping.js';
import { RequestRefused } from '../error-reply.js';
import { ImportRefused } from './import-errors.js';

/** What a body has to bring in each minute that it is waited for: less than any line carries, more than a drip. */
export interface LeastRate {
  readonly bytes: number;
  readonly inMs: number;
}
export const LEAST_RATE: LeastRate = { bytes: 600 * 1024, inMs: 60_000 };

/**
 * The pieces of a request's body as they arrive. However long the whole takes, each has to come within `idleMs` of being
 * asked for, and so many bytes in each `least.inMs` of waiting; time that the caller takes does not count. The body is left
 * as it is when the caller stops early.
 * @throws RequestRefused (408) when it stalls or drips, ImportRefused when the client goes away, the reason of `signal` when aborted.
 */
export async function* arriving(
  body: Readable,
  idleMs: number,
  signal: AbortSignal,
  least = LEAST_RATE,
): AsyncGenerator<Buffer> {
  const pieces: AsyncIterator<Buffer> = body.iterator({ destroyOnReturn: false });
  let waitedMs = 0;
  let bytes = 0;
  try {
    for (;;) {
      const askedAt = performance.now();
      const next = await nextPiece(pieces, idleMs, signal);
      if (next.done === true) return;
      waitedMs += performance.now() - askedAt;
      bytes += next.value.length;
      if (waitedMs >= least.inMs) {
        if (bytes < least.bytes) throw drip(least);
        waitedMs = 0;
        bytes = 0;
      }
      yield next.value;
    }
  } finally {
    // Lets go of the body, so that somebody else can read the rest. Not awaited: it waits for a piece that may never come.
    void pieces.return?.().catch(() => undefined);
  }
}

async function nextPiece(pieces: AsyncIterator<Buffer>, idleMs: number, signal: AbortSignal) {
  signal.throwIfAborted();
  const waiting = new AbortController();
  try {
    return await Promise.race([unbroken(pieces), interruption(idleMs, signal, waiting.signal)]);
  } finally {
    waiting.abort();
  }
}

/** Rejects when `signal` is aborted or the time is up; settles as well, unheard, when `over` is aborted. */
async function interruption(idleMs: number, signal: AbortSignal, over: AbortSignal): Promise<never> {
  const aborted = once(signal, 'abort', { signal: over });
  await Promise.race([aborted, sleep(idleMs, undefined, { signal: over })]).catch(() => undefined);
  signal.throwIfAborted();
  throw stall(idleMs);
}

async function unbroken(pieces: AsyncIterator<Buffer>): Promise<IteratorResult<Buffer>> {
  try {
    return await pieces.next();
  } catch {
    throw ImportRefused.brokenOff();
  }
}

function stall(idleMs: number): RequestRefused {
  const text = `Nothing arrived for ${idleMs / 1000} s (APP_SERVER_READ_TIMEOUT), so nothing was stored`;
  return new RequestRefused(refuse(408, 'request.timeout', text, { connection: 'close' }));
}

function drip({ bytes, inMs }: LeastRate): RequestRefused {
  const text = `Less than ${bytes} bytes arrived within ${inMs / 1000} s, so nothing was stored: send the file faster, or in parts`;
  return new RequestRefused(refuse(408, 'import.too_slow', text, { connection: 'close' }));
}
