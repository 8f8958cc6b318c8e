import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { AnswerInTls, isUnreadable, type AnswerReader } from './answer-reader.js';
import type { Answer, NoAnswer } from './delivery.js';
import { textOf } from './answer-text.js';

/** What is said of a request that was kept back. */
export const WITHDRAWN: NoAnswer = { left: false, error: 'its job ended before it left', withdrawn: true };

/** So much of an answer is read; the rest is cut off. */
const MAX_BODY_BYTES = 64 * 1024;

/**
 * One request on the wire, as undici reports on it. It knows the one thing that decides between "not sent" and "perhaps
 * sent": whether the request was handed to a connected socket. Once a status has come, a body that is late, endless or
 * broken changes nothing.
 */
export class WebhookExchange implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | null = null;
  private left = false;
  private status = 0;
  private headers: IncomingHttpHeaders = {};
  private retryAfter: string | null = null;
  private readonly chunks: Buffer[] = [];
  private bytes = 0;
  private over = false;
  private ended = false;
  /** Whether the answer ended within its head. */
  brokeOff = false;
  private readonly timer: NodeJS.Timeout;

  readonly sender: object;
  private readonly mayLeave: () => boolean;

  /** `mayLeave` is asked when a connection is there, which may be long after the request was made. */
  constructor(
    { timeoutMs, mayLeave, sender }: { timeoutMs: number; mayLeave: () => boolean; sender: object },
    private readonly reader: AnswerReader,
    private readonly onEnd: (reply: Answer | NoAnswer) => void,
  ) {
    this.mayLeave = mayLeave;
    this.sender = sender;
    this.timer = setTimeout(
      () => this.onDeadline(`no answer within the timeout of ${timeoutMs} ms (webhook_timeout)`),
      timeoutMs,
    );
  }

  /** Whether the answer came to its end, so that its connection may carry another request. */
  get whole(): boolean {
    return this.ended;
  }

  get hasLeft(): boolean {
    return this.left;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (!this.over && !this.mayLeave()) this.withdraw();
    if (this.over) return controller.abort(new Error('given up before it left'));
    this.controller = controller;
    this.left = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.status = status;
    this.headers = headers;
    // A header that came twice is a list here, whatever its type says.
    this.retryAfter = [headers['retry-after']].flat()[0] ?? null;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.chunks.push(chunk);
    this.bytes += chunk.length;
    if (this.bytes < MAX_BODY_BYTES) return;
    this.finish();
    controller.abort(new Error('the rest of the answer is not read'));
  }

  onResponseEnd(): void {
    this.ended = true;
    this.finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.status > 0) return this.finish();
    const left = this.left && !(error instanceof AnswerInTls);
    if (left && isUnreadable(error)) {
      this.conclude({ left, error: describe(error), unreadable: this.reader.firstLine });
    } else this.endWithoutAnswer(left, describe(error));
  }

  /** Keeps the request back if it has not left; an exchange whose request has left goes on. */
  withdraw(): void {
    if (!this.left) this.conclude(WITHDRAWN);
  }

  /** Ends the exchange now: with its status if one has come, else without an answer. */
  giveUp(error: string): void {
    if (this.over) return;
    const { controller, left, status } = this;
    if (status > 0) this.finish();
    else this.endWithoutAnswer(left, left ? error : `not connected: ${error}`);
    controller?.abort(new Error(error));
  }

  /** A head that breaks off after an acceptance is an answer all the same, and would break off the next time. */
  private endWithoutAnswer(left: boolean, error: string): void {
    if (!left || !this.reader.beginsWithAcceptance) return this.conclude({ left, error, unreadable: undefined });
    this.brokeOff = true;
    this.conclude({ left, error: `its head breaks off: ${error}`, unreadable: this.reader.firstLine });
  }

  /** Timers come before sockets in a turn: after a moment without a processor the answer may be there, and unread. */
  private onDeadline(error: string): void {
    // What has not left has no answer, and would leave in that turn.
    if (this.left) setImmediate(() => this.giveUp(error));
    else this.giveUp(error);
  }

  private finish(): void {
    const bytes = Buffer.concat(this.chunks).subarray(0, MAX_BODY_BYTES);
    this.conclude({ status: this.status, retryAfter: this.retryAfter, body: textOf(bytes, this.headers) });
  }

  private conclude(reply: Answer | NoAnswer): void {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.timer);
    this.onEnd(reply);
  }
}

/** Code and text of an error and of what caused it; connection errors to several addresses come as one. */
function describe(error: Error): string {
  const first = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
  const code = (first as NodeJS.ErrnoException).code;
  const text = first.message === '' ? first.name : first.message;
  return code === undefined || text.includes(code) ? text : `${code}: ${text}`;
}
