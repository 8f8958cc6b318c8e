import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { DestinationStream } from 'pino';
import { codeOf } from './described-error.js';

/** Up to here all lines wait for a reader; up to the next limit those that warn; then none. */
const EVERY_LINE_CHARACTERS = 512 * 1024;
const WARNINGS_CHARACTERS = 2 * EVERY_LINE_CHARACTERS;
const WARN_LEVEL = 40;
const LINES_AT_ONCE = 100;
const RETRY_FIRST_MS = 10;
const RETRY_LONGEST_MS = 500;

/** pino tells a stream that has this the level of each line. */
const METADATA = Symbol.for('pino.metadata');

/** How many lines were given up since the output could last be written. */
export interface DroppedLines {
  readonly lines: number;
  readonly warnings: number;
}

/** The same while it cannot be written; `since`: when the first of them was given up. */
export interface MissingLines extends DroppedLines {
  readonly since: Date;
}

/**
 * Lines to standard output or standard error that nothing can stop: a line that can be written is written before `write`
 * returns, and one that cannot (the reader stalls or is gone, the disk is full) waits in a bounded memory and is tried again.
 * When that is full, lines below `warn` are dropped first. `write` neither throws nor blocks, except on a regular file as
 * long as its disk takes.
 */
export class LineOutput implements DestinationStream {
  readonly [METADATA] = true;
  /** Set by pino before each line. */
  lastLevel = 0;
  private readonly descriptor: number;
  private readonly waiting: string[] = [];
  private waitingCharacters = 0;
  /** What is left of lines that were written in part. */
  private head: Buffer = Buffer.alloc(0);
  private dropped: { lines: number; warnings: number; since: Date } | null = null;
  private retryMs = RETRY_FIRST_MS;
  private timer: NodeJS.Timeout | null = null;
  private failure: string | null = null;

  constructor(fd: 1 | 2) {
    this.descriptor = unblocked(fd);
    process.on('exit', () => this.flush(FLUSH_MS));
  }

  /** Called when everything is written again after lines were dropped. */
  onRecovered: (dropped: DroppedLines) => void = () => undefined;
  /** Called once when writing begins to fail for another reason than a slow reader. */
  onFailure: (code: string) => void = () => undefined;

  /** What was given up and not yet told of in a line; null: nothing. */
  get missing(): MissingLines | null {
    return this.dropped === null ? null : { ...this.dropped };
  }

  write(line: string): void {
    const level = this.lastLevel;
    this.lastLevel = 0;
    const limit = level >= WARN_LEVEL ? WARNINGS_CHARACTERS : EVERY_LINE_CHARACTERS;
    if (this.waitingCharacters + line.length > limit) {
      this.dropped ??= { lines: 0, warnings: 0, since: new Date() };
      this.dropped.lines += 1;
      if (level >= WARN_LEVEL) this.dropped.warnings += 1;
      return;
    }
    const wasEmpty = this.empty;
    this.waiting.push(line);
    this.waitingCharacters += line.length;
    if (wasEmpty) this.drain();
  }

  /** A stream whose lines pass `write` on their way here, which keeps their levels. */
  before(write: (line: string) => void): DestinationStream {
    const pass = (line: string, level: number) => {
      this.lastLevel = level;
      write(line);
    };
    return {
      [METADATA]: true,
      lastLevel: 0,
      write(line: string) {
        pass(line, this.lastLevel);
      },
    } as DestinationStream & ThisType<{ lastLevel: number }>;
  }

  /** Writes what waits, for so long at most; gives up at once where waiting cannot help. */
  flush(withinMs: number): void {
    const deadline = performance.now() + withinMs;
    const cell = new Int32Array(new SharedArrayBuffer(4));
    while (!this.writeWaiting() && this.failure === null && performance.now() < deadline) {
      Atomics.wait(cell, 0, 0, RETRY_FIRST_MS);
    }
  }

  private get empty(): boolean {
    return this.head.length === 0 && this.waiting.length === 0;
  }

  private drain(): void {
    if (!this.writeWaiting()) return this.tryAgainLater();
    this.retryMs = RETRY_FIRST_MS;
    this.failure = null;
    const { dropped } = this;
    if (dropped === null) return;
    this.dropped = null;
    this.onRecovered(dropped);
  }

  private tryAgainLater(): void {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.drain();
    }, this.retryMs).unref();
    this.retryMs = Math.min(2 * this.retryMs, RETRY_LONGEST_MS);
  }

  /** Whether everything that waited is written. */
  private writeWaiting(): boolean {
    try {
      while (!this.empty) {
        if (this.head.length === 0) this.head = Buffer.from(this.nextLines());
        const written = writeSync(this.descriptor, this.head);
        this.head = this.head.subarray(written);
        this.retryMs = RETRY_FIRST_MS;
      }
      return true;
    } catch (error) {
      this.note(codeOf(error) ?? 'unknown');
      return false;
    }
  }

  private nextLines(): string {
    const lines = this.waiting.splice(0, LINES_AT_ONCE).join('');
    this.waitingCharacters -= lines.length;
    return lines;
  }

  private note(code: string): void {
    if (code === 'EAGAIN' || this.failure !== null) return;
    this.failure = code;
    this.onFailure(code);
  }
}

/** How long the end of the process waits for a reader of its last lines. */
const FLUSH_MS = 300;

let standard: { readonly output: LineOutput; readonly error: LineOutput } | null = null;

/** Standard output and standard error of this process. */
export function standardOutput(): { readonly output: LineOutput; readonly error: LineOutput } {
  if (standard !== null) return standard;
  const [output, error] = [new LineOutput(1), new LineOutput(2)];
  output.onFailure = (code) =>
    error.write(
      `Standard output cannot be written (${code}): the service goes on, and lines of its log may be missing\n`,
    );
  standard = { output, error };
  return standard;
}

/** Lines of this process's log that are being lost at this time; null: none. */
export function missingLines(): MissingLines | null {
  return standard?.output.missing ?? null;
}

/**
 * A descriptor of the same output on which a write fails rather than waits for a reader. Opened anew where that is possible,
 * so that other processes that share the output notice nothing; files are never waited for in that sense.
 */
function unblocked(fd: 1 | 2): number {
  try {
    const stat = fstatSync(fd);
    if (stat.isFile()) return fd;
    if (stat.isFIFO() || isatty(fd)) {
      return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    }
  } catch {
    // Not on this system, or somebody else's pipe.
  }
  // Node makes pipes and sockets of its own streams so, the first time that they are asked for.
  void (fd === 1 ? process.stdout : process.stderr);
  return fd;
}
