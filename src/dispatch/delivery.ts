import { withoutHidden } from '../hidden-characters.js';
import { messageIdIn } from './provider-id.js';
import { MASK, redact, type Told } from './redaction.js';
import { isTelling } from './telling-id.js';

/**
 * What became of one request. `accepted` is the only one after which the phone surely has, or will get, the message;
 * after `uncertain` nobody on this side knows.
 */
export type Delivery =
  | { readonly outcome: 'accepted'; readonly status: number; readonly messageId: string | null }
  /** The message's own fault: sending it again cannot help. */
  | { readonly outcome: 'refused'; readonly status: number; readonly error: string }
  /** The receiver said no for now. `retryAfterMs` is what it asked for. */
  | {
      readonly outcome: 'unavailable';
      readonly status: number;
      readonly error: string;
      readonly retryAfterMs: number | null;
    }
  /** Nothing was sent. The fault of the way, of its settings or of this message: how the others fare tells which. */
  | { readonly outcome: 'channel'; readonly status: number | null; readonly error: string }
  /** The request left, and no answer came or one of a proxy that does not know: it may have been sent. */
  | {
      readonly outcome: 'uncertain';
      readonly status: number | null;
      readonly error: string;
      /** An answer came that cannot be read. It would be the same the next time, so nothing repeats the request by itself. */
      readonly isUnreadable?: boolean;
    };

/** An answer of the receiver, with as much of its body as was read. */
export interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: string;
  /** Of an acceptance whose body is not kept. */
  readonly messageId?: string | null;
}

/** Why no answer came, and whether the request had left by then. */
export interface NoAnswer {
  readonly left: boolean;
  readonly error: string;
  /** The beginning of an answer that cannot be read; undefined: none came. */
  readonly unreadable?: string | undefined;
  /** It was kept back at the last moment, because its job may make no request any more. */
  readonly withdrawn?: true;
}

/** RFC 9110 §15.5 and RFC 6585: what the receiver holds against this very message. */
const MESSAGE_FAULTS: ReadonlySet<number> = new Set([400, 413, 422]);
/** What a later try may cure. */
const PASSING: ReadonlySet<number> = new Set([408, 409, 425, 429]);
/**
 * A proxy gave the request on and has no answer: 502 and 504 by RFC 9110 §15.6, 520 to 524 as Cloudflare has them, 598 and 599
 * as other proxies do.
 */
const UNKNOWN: ReadonlySet<number> = new Set([502, 504, 520, 521, 522, 523, 524, 598, 599]);

export const LONGEST_RETRY_AFTER_MS = 3_600_000;
const EXCERPT_MAX_BYTES = 4_096;
/** As much as is gone through for an excerpt, in characters, and how much of it is left out when more follows. */
const REDACTED_HEAD = 8_192;
const UNSURE_END = 1_024;
/** The same where an answer's first line is quoted. */
const REDACTED_LINE = 2_048;
const QUOTED_CHARACTERS = 120;

/** Decides what an answer, or its absence, means. Every other 3xx and 4xx may speak of the way or of the message. */
export function classify(reply: Answer | NoAnswer, now: Date): Delivery {
  if ('left' in reply) {
    const { left, error, unreadable } = reply;
    if (!left) return { outcome: 'channel', status: null, error };
    return { outcome: 'uncertain', status: null, error, ...(unreadable === undefined ? {} : { isUnreadable: true }) };
  }
  const { status } = reply;
  const error = `HTTP ${status}`;
  if (status >= 200 && status < 300) {
    const messageId = reply.messageId === undefined ? messageIdIn(reply.body) : reply.messageId;
    return { outcome: 'accepted', status, messageId };
  }
  if (MESSAGE_FAULTS.has(status)) return { outcome: 'refused', status, error };
  if (UNKNOWN.has(status)) return { outcome: 'uncertain', status, error };
  if (PASSING.has(status) || status >= 500) {
    return { outcome: 'unavailable', status, error, retryAfterMs: retryAfterMs(reply.retryAfter, now) };
  }
  return { outcome: 'channel', status, error };
}

/** What a date looks like in HTTP, the obsolete forms included (RFC 9110 §5.6.7); `Date.parse` alone takes `1.5` for one. */
const HTTP_DATE = /^[A-Za-z]{3,9},? .*\d{2}:\d{2}:\d{2}( GMT| \d{4})$/;

/** `Retry-After` in seconds or as a date (RFC 9110 §10.2.3), in milliseconds from `now`, an hour at most; null when unusable. */
export function retryAfterMs(header: string | null, now: Date): number | null {
  if (header === null) return null;
  const text = header.trim();
  const ms = /^\d{1,10}$/.test(text) ? Number(text) * 1000 : HTTP_DATE.test(text) ? timeOf(text) - now.getTime() : NaN;
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS);
}

/** The asctime form names no zone; it is UTC like the others. */
function timeOf(httpDate: string): number {
  return Date.parse(httpDate.endsWith('GMT') ? httpDate : `${httpDate} GMT`);
}

/**
 * Returns the reply without what the receiver was told, so that it can be kept and shown. Of an acceptance nothing but the
 * provider's id is kept, and `***` where that id holds a credential.
 */
export function withoutSecrets(reply: Answer | NoAnswer, told: Told): Answer | NoAnswer {
  if ('left' in reply) return noAnswerWithoutSecrets(reply, told);
  const { status, retryAfter } = reply;
  if (status >= 200 && status < 300) {
    const id = messageIdIn(reply.body);
    return { status, retryAfter, body: '', messageId: id !== null && isTelling(id, told.credentials) ? MASK : id };
  }
  return { ...reply, body: redactHead(reply.body, REDACTED_HEAD, told) };
}

/** With the beginning of an answer that cannot be read, for the sender of it to recognise. */
function noAnswerWithoutSecrets(reply: NoAnswer, told: Told): NoAnswer {
  const { unreadable } = reply;
  // A parser's words may quote what came, with its line breaks.
  const error = withoutHidden(redact(reply.error.slice(0, REDACTED_HEAD), told));
  if (unreadable === undefined) return { ...reply, error };
  const head = withoutHidden(redactHead(unreadable, REDACTED_LINE, told))
    .slice(0, QUOTED_CHARACTERS)
    .toWellFormed();
  return { ...reply, error: `the answer cannot be read: ${error}; it begins with "${head}"`, unreadable: head };
}

function redactHead(text: string, characters: number, told: Told): string {
  const head = text.slice(0, characters);
  // The end may be the first part of a secret, too short to be known as such.
  return head.length < characters ? redact(head, told) : redact(head, told, characters - UNSURE_END);
}

/** The head of an answer that was not a 2xx, for people who look for the reason. */
export function excerptOf(delivery: Delivery, reply: Answer | NoAnswer): string | null {
  if ('left' in reply || delivery.outcome === 'accepted' || reply.body === '') return null;
  let excerpt = reply.body.slice(0, EXCERPT_MAX_BYTES).replaceAll('\0', '').toWellFormed();
  while (Buffer.byteLength(excerpt) > EXCERPT_MAX_BYTES) excerpt = excerpt.slice(0, Math.floor(excerpt.length / 2));
  return excerpt.toWellFormed();
}
