import { URL } from 'node:url';
import type { RawValue } from './config-source.js';
import { SANDBOX } from './live-settings.js';
import { MAX_VALUE_LENGTH, textSchema, wholeNumber, type TextSchema } from './static-values.js';

/**
 * The text of a raw value, trimmed, without the quotes of a JSON string; a list of texts becomes `a,b`.
 * undefined when it is none of these.
 */
export function textOf(raw: RawValue): string | undefined {
  if (Array.isArray(raw)) {
    return raw.every((item) => typeof item === 'string' && !item.includes(',')) ? raw.join(',') : undefined;
  }
  if (typeof raw !== 'string') return undefined;
  const text = raw.trim();
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text;
  try {
    const inner: unknown = JSON.parse(text);
    return typeof inner === 'string' ? inner.trim() : text;
  } catch {
    return text;
  }
}

/** Whether a raw value is longer than any setting's text, counted before anything is made of it. */
export function isTooLong(raw: RawValue): boolean {
  if (typeof raw === 'string' || raw instanceof Uint8Array) return raw.length > MAX_VALUE_LENGTH;
  if (!Array.isArray(raw)) return false;
  let length = 0;
  for (const item of raw) {
    length += 1 + (typeof item === 'string' ? item.length : 0);
    if (length > MAX_VALUE_LENGTH) return true;
  }
  return false;
}

export function seconds(min: number, max: number): TextSchema<number> {
  const whole = wholeNumber(min, max, 'seconds');
  return textSchema(`must be a whole number of seconds from ${min} to ${max}`, (text) => {
    const parsed = whole.safeParse(text);
    return parsed.success ? parsed.data * 1000 : undefined;
  });
}

/** `30,120,600` or `[30, 120, 600]`: whole seconds, as milliseconds. */
export function secondsList(min: number, max: number, maxItems: number): TextSchema<readonly number[]> {
  const item = seconds(min, max);
  const wanted = `must be a list of 1 to ${maxItems} whole numbers of seconds from ${min} to ${max}, such as 30,120,600`;
  return textSchema(wanted, (text) => {
    if (text.length > 16 * maxItems) return undefined;
    const bare = /^\[.*\]$/s.test(text) ? text.slice(1, -1) : text;
    const parsed = bare.split(',').map((part) => item.safeParse(part.trim()));
    if (parsed.length > maxItems || !parsed.every((one) => one.success)) return undefined;
    return Object.freeze(parsed.map((one) => one.data));
  });
}

export const webhookUrl = textSchema(
  'must be an absolute http:// or https:// URL without user and password, at most 2048 characters long',
  (text) => {
    if (text === SANDBOX) return text;
    // The URL parser forgives blanks, backslashes and missing slashes; the operator should see them.
    if (text.length > 2048 || !/^https?:\/\/[^\s\\/]/i.test(text) || !/^[\x21-\x7e]+$/.test(text)) return undefined;
    if (!URL.canParse(text)) return undefined;
    const url = new URL(text);
    const authority = /^https?:\/\/([^/?#]*)/i.exec(text)?.[1] ?? '';
    return url.hostname === '' || authority.includes('@') ? undefined : text;
  },
);

/** What an HTTP header may hold; empty text means that there is none. */
export const headerValue = textSchema(
  'must be printable ASCII without line breaks, at most 4096 characters long',
  (text) => (/^[\x20-\x7e]{0,4096}$/.test(text) ? text || null : undefined),
);

export function oneOf<const T extends string>(...names: readonly T[]): TextSchema<T> {
  return textSchema(`must be ${names.join(' or ')}`, (text) => names.find((name) => name === text));
}

const TRUE_OR_FALSE = new Map([
  ['true', true],
  ['false', false],
]);

export const trueOrFalse = textSchema('must be true or false', (text) => TRUE_OR_FALSE.get(text.toLowerCase()));
