import type { Socket } from 'node:net';
import { errors } from 'undici';
import { isAcceptance, isStatusLine, readHead, type AnswerHead } from './answer-head.js';

/** An answer came that cannot be read, and would not be the next time. */
class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';
}

/** What answered does not speak HTTP but TLS, so no request has been read. */
export class AnswerInTls extends Error {
  override readonly name = 'AnswerInTls';
}

/** Longer heads are not read. */
export const MAX_HEAD_BYTES = 64 * 1024;
/** So many interim answers (1xx) may come before the final one. */
const MAX_INTERIM_ANSWERS = 100;
/** So much of an answer is kept for people. */
const KEPT_BYTES = 4 * 1024;
/** Where the first digit of a status stands. */
const STATUS_AT = 'HTTP/1.1 '.length;
const INTERIM = '1'.charCodeAt(0);
const PROTOCOL = 'HTTP/1.';
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const TLS_ALERT = 0x15;
const TLS_MAJOR_VERSION = 3;
const NOTHING = Buffer.alloc(0);

/**
 * Stands between a connection's socket and the HTTP parser, which refuses some of what HTTP allows, and ends the connection.
 * Takes interim answers out, and rewrites the head of the first answer on each connection where it is not strict. If that one
 * was strict, the following ones go to the parser as they come: this is the hottest path of the service.
 */
export class AnswerReader {
  /** Whether the head of the next answer is read here. */
  private checks = true;
  private awaited = false;
  private held: Buffer = NOTHING;
  private interimAnswers = 0;
  private first: Buffer | null = null;

  /** Call with every socket that the connection gets. */
  watch(socket: Socket): void {
    this.checks = true;
    const read = socket.read.bind(socket);
    socket.read = (size?: number): unknown => {
      const chunk: unknown = read(size);
      return this.awaited && chunk instanceof Buffer ? this.take(chunk, socket) : chunk;
    };
  }

  /** A request is made: what comes from now on is its answer. */
  begin(): void {
    this.awaited = true;
    this.held = NOTHING;
    this.interimAnswers = 0;
    this.first = null;
  }

  /** Whether the latest answer went to the parser as it came. */
  get wasUnchecked(): boolean {
    return !this.checks;
  }

  /** Whether what came begins with the whole status line of an acceptance, so that the message was taken. */
  get beginsWithAcceptance(): boolean {
    const came = withoutLeadingBreaks(this.came.subarray(0, KEPT_BYTES));
    const end = came.indexOf(LINE_FEED);
    return end !== -1 && isAcceptance(came.toString('latin1', 0, end).trimEnd());
  }

  /** The beginning of what came, to the end of its line if that is near. */
  get firstLine(): string {
    const kept = this.came.subarray(0, KEPT_BYTES);
    const end = kept.indexOf(LINE_FEED);
    return kept.subarray(0, end === -1 ? kept.length : end).toString('utf8');
  }

  private get came(): Buffer {
    return this.held.length > 0 ? this.held : (this.first ?? NOTHING);
  }

  /** What the parser gets for `chunk`; null: nothing yet. */
  private take(chunk: Buffer, socket: Socket): Buffer | null {
    const isFirst = this.held.length === 0;
    if (isFirst) this.first = chunk;
    if (isFirst && !this.checks && chunk.length > STATUS_AT && chunk[STATUS_AT] !== INTERIM) {
      this.awaited = false;
      return chunk;
    }
    const searched = Math.max(0, this.held.length - 3);
    this.held = withoutLeadingBreaks(isFirst ? chunk : Buffer.concat([this.held, chunk]));
    try {
      return this.release(searched, socket);
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error(String(error)));
      return null;
    }
  }

  /** Gives out what is held once it begins with the whole head of a final answer. */
  private release(searched: number, socket: Socket): Buffer | null {
    for (let from = searched; this.held.length > 0; from = 0) {
      refuseWhatIsNoAnswer(this.held, socket);
      const end = endOfHead(this.held, from);
      if ((end === -1 ? this.held.length : end) > MAX_HEAD_BYTES) {
        throw new UnreadableAnswer(`its head is longer than ${MAX_HEAD_BYTES} bytes`);
      }
      if (end === -1) return null;
      const head = readHead(this.held.toString('latin1', 0, end));
      if (typeof head === 'string') throw new UnreadableAnswer(head);
      if (head.status === 101) throw new UnreadableAnswer('it changes to another protocol');
      if (head.status >= 200) {
        this.awaited = false;
        this.checks = !head.plain;
        return this.pass(head, end);
      }
      this.interimAnswers += 1;
      if (this.interimAnswers > MAX_INTERIM_ANSWERS) {
        throw new UnreadableAnswer(`more than ${MAX_INTERIM_ANSWERS} interim answers (1xx) came before it`);
      }
      this.held = this.held.subarray(end);
    }
    return null;
  }

  private pass({ text, plain }: AnswerHead, end: number): Buffer {
    const whole = this.held;
    this.first = whole;
    this.held = NOTHING;
    return plain ? whole : Buffer.concat([Buffer.from(text, 'latin1'), whole.subarray(end)]);
  }
}

/** Whether the parser refused an answer, rather than the connection breaking before one. */
export function isUnreadable(error: Error): boolean {
  return (
    error instanceof UnreadableAnswer ||
    error instanceof errors.HTTPParserError ||
    error instanceof errors.ResponseContentLengthMismatchError ||
    error instanceof errors.HeadersOverflowError ||
    (error instanceof errors.SocketError && /^bad (?:response|upgrade)$/.test(error.message)) ||
    // How undici says that it did not foresee what came.
    error.name === 'AssertionError'
  );
}

/** What cannot become an answer is refused at once, rather than at the timeout. */
function refuseWhatIsNoAnswer(held: Buffer, socket: Socket): void {
  if (held[0] === TLS_ALERT && held[1] === TLS_MAJOR_VERSION && !('encrypted' in socket)) {
    throw new AnswerInTls(
      'what answers there speaks TLS, so it has read no request: webhook_url must begin with https:',
    );
  }
  const lineEnd = held.indexOf(LINE_FEED);
  const isPossible =
    lineEnd === -1
      ? PROTOCOL.startsWith(held.toString('latin1', 0, PROTOCOL.length))
      : isStatusLine(held.toString('latin1', 0, lineEnd).trimEnd());
  if (!isPossible) throw new UnreadableAnswer('it does not begin with a status of HTTP/1.1');
}

/** Some end a body by a line break that belongs to nothing. */
function withoutLeadingBreaks(held: Buffer): Buffer {
  let at = 0;
  while (held[at] === LINE_FEED || held[at] === CARRIAGE_RETURN) at += 1;
  return held.subarray(at);
}

/** Where the first head ends, or -1. Looks at lines that end at `from` or later. */
function endOfHead(held: Buffer, from: number): number {
  for (let at = held.indexOf(LINE_FEED, from); at !== -1; at = held.indexOf(LINE_FEED, at + 1)) {
    if (held[at + 1] === LINE_FEED) return at + 2;
    if (held[at + 1] === CARRIAGE_RETURN && held[at + 2] === LINE_FEED) return at + 3;
  }
  return -1;
}
