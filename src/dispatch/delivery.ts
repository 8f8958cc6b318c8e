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
  /** The fault of the way or of its settings, so of no message: nothing was sent, and the next one would fare the same. */
  | { readonly outcome: 'channel'; readonly status: number | null; readonly error: string }
  /** The request left and no answer came. */
  | { readonly outcome: 'uncertain'; readonly status: null; readonly error: string };

/** An answer of the receiver, with as much of its body as was read. */
export interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: string;
}

/** Why no answer came, and whether the request had left by then. */
export interface NoAnswer {
  readonly left: boolean;
  readonly error: string;
}

/** RFC 9110 §15.5 and RFC 6585: what the receiver holds against this very message. */
const MESSAGE_FAULTS: ReadonlySet<number> = new Set([400, 413, 422]);
/** What a later try may cure. */
const PASSING: ReadonlySet<number> = new Set([408, 409, 425, 429]);

const LONGEST_RETRY_AFTER_MS = 3_600_000;
const LONGEST_MESSAGE_ID = 256;
const EXCERPT_MAX_BYTES = 4_096;

/** Decides what an answer, or its absence, means. Every other 3xx and 4xx speaks of address, credentials or contract. */
export function classify(reply: Answer | NoAnswer, now: Date): Delivery {
  if ('left' in reply) {
    return { outcome: reply.left ? 'uncertain' : 'channel', status: null, error: reply.error };
  }
  const { status } = reply;
  const error = `HTTP ${status}`;
  if (status >= 200 && status < 300) return { outcome: 'accepted', status, messageId: messageIdIn(reply.body) };
  if (MESSAGE_FAULTS.has(status)) return { outcome: 'refused', status, error };
  if (PASSING.has(status) || status >= 500) {
    return { outcome: 'unavailable', status, error, retryAfterMs: retryAfterMs(reply.retryAfter, now) };
  }
  return { outcome: 'channel', status, error };
}

/** The provider's id in a JSON body, as text; null when there is none that is usable. */
export function messageIdIn(body: string): string | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return null;
  }
  if (typeof parsed !== 'object' || parsed === null || !('messageId' in parsed)) return null;
  const { messageId } = parsed;
  const text = typeof messageId === 'number' ? String(messageId) : messageId;
  if (typeof text !== 'string' || text.trim() === '' || text.length > LONGEST_MESSAGE_ID) return null;
  return text.includes('\0') || !text.isWellFormed() ? null : text;
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

/** The head of an answer that was not a 2xx, for people who look for the reason. */
export function excerptOf(delivery: Delivery, reply: Answer | NoAnswer): string | null {
  if ('left' in reply || delivery.outcome === 'accepted' || reply.body === '') return null;
  let excerpt = reply.body.slice(0, EXCERPT_MAX_BYTES).replaceAll('\0', '').toWellFormed();
  while (Buffer.byteLength(excerpt) > EXCERPT_MAX_BYTES) excerpt = excerpt.slice(0, Math.floor(excerpt.length / 2));
  return excerpt.toWellFormed();
}
