import { SANDBOX } from './live-settings.js';

// What a name holds that is the name of a secret.
const SECRET_WORDS = ['password', 'passwd', 'pwd', 'secret', 'token', 'key'];
const SCHEME = /^[a-z][a-z0-9+.-]{0,31}:/i;

/**
 * A URL or a list of `name=value` pairs, broken or not, without its user, its password and the values of names that sound
 * secret: for messages. Everything up to the last `@`, with or without a scheme before it, counts as user and password: hiding
 * too much is the safe mistake.
 * The time is linear in the length of the text.
 */
export function maskUrl(text: string): string {
  return maskPairs(maskUser(text));
}

/**
 * A URL as far as it may be shown: scheme, host and port, and that there is more. A gateway's token may be in any part of
 * its path or its query, under any name.
 */
export function showTarget(url: string): string {
  if (url === SANDBOX) return url;
  const origin = /^https?:\/\/[^/?#@\\\s]{1,260}/i.exec(url)?.[0];
  if (origin === undefined || url.includes('@')) return '***';
  const rest = url.slice(origin.length);
  const end = rest.search(/[?#]/);
  const path = end === -1 ? rest : rest.slice(0, end);
  return `${origin}${path === '' || path === '/' ? path : '/…'}${end === -1 ? '' : '?***'}`;
}

function maskUser(text: string): string {
  const scheme = SCHEME.exec(text)?.[0];
  const end = text.lastIndexOf('@');
  if (end < (scheme?.length ?? 0)) return text;
  let start = scheme?.length ?? 0;
  while (text[start] === '/') start += 1;
  return `${text.slice(0, start)}***${text.slice(end)}`;
}

/** Goes from one `=` to the next; the name before it begins after the last delimiter, and a quoted value ends with its quote. */
function maskPairs(text: string): string {
  let masked = '';
  let from = 0;
  for (let equals = text.indexOf('='); equals !== -1; equals = text.indexOf('=', from)) {
    let start = equals;
    while (start > from && !/[?&;\s]/.test(text[start - 1] ?? '')) start -= 1;
    const name = text.slice(start, equals).toLowerCase();
    const end = SECRET_WORDS.some((word) => name.includes(word)) ? valueEnd(text, equals + 1) : equals + 1;
    masked += end === equals + 1 ? text.slice(from, end) : `${text.slice(from, equals)}=***`;
    from = end;
  }
  return masked + text.slice(from);
}

function valueEnd(text: string, start: number): number {
  const quote = text[start];
  if (quote !== "'" && quote !== '"') {
    const length = text.slice(start).search(/[&\s]/);
    return length === -1 ? text.length : start + length;
  }
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === quote) return at + 1;
  }
  return text.length;
}
