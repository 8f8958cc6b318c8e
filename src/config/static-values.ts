import { z } from 'zod';
import { withHiddenEscaped } from '../hidden-characters.js';
import { maskUrl } from './mask-url.js';

/** A setting's schema: it takes trimmed text and says, in words that can follow the setting's name, what it wants. */
export type TextSchema<T> = z.ZodType<T, string>;

/**
 * A schema of one rule: `read` gives the value, or undefined when the text is not one; `wanted` then says what is.
 * A function is no value of a setting, whatever the types say: a look-up in an object finds what all objects inherit.
 */
export function textSchema<T extends string | number | boolean | object | null>(
  wanted: string,
  read: (text: string) => T | undefined,
): TextSchema<T> {
  return z.string().transform((text, context) => {
    const value = read(text);
    if (value !== undefined && typeof value !== 'function') return value;
    context.addIssue({ code: 'custom', message: wanted });
    return z.NEVER;
  });
}

/** Digits alone: no sign, no fraction, no exponent, no hex, no leading zero. */
export function wholeNumber(min: number, max: number, unit = ''): TextSchema<number> {
  const ofUnit = unit === '' ? '' : ` of ${unit}`;
  return textSchema(`must be a whole number${ofUnit} from ${min} to ${max}`, (text) => {
    if (!/^(0|[1-9]\d{0,14})$/.test(text)) return undefined;
    const value = Number(text);
    return value >= min && value <= max ? value : undefined;
  });
}

const SWITCH = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

export const switchValue = textSchema('must be true or false', (text) => SWITCH.get(text.toLowerCase()));

const HOST = /^[a-z0-9]([a-z0-9._-]{0,252})$/i;
const IPV6 = /^[0-9a-f:]+(%[\w.]+)?$|^[0-9a-f:]+:\d+\.\d+\.\d+\.\d+$/i;

/** `host:port`, `host`, `[v6]:port`; undefined when it is none of them or the port is outside 1..65535. */
export function hostAndPort(text: string, defaultPort: number): { host: string; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || !(match?.[1] === undefined ? HOST : IPV6).test(host)) return undefined;
  const port = Number(match?.[3] ?? defaultPort);
  return port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

/** A percent-encoded part of a URL as it is meant; undefined when it is not well encoded. */
export function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** `:8080`, `8080`, `host:8080`, `[::]:8080`; port 0 lets the system choose one. */
export const listenAddress = textSchema(
  'must be a port from 0 to 65535, with or without an address before it, such as :8080 or 127.0.0.1:8080',
  (text) => {
    const match = /^(?:\[([^\]]+)\]:|([^:[\]]*):)?(\d{1,5})$/.exec(text);
    const port = Number(match?.[3] ?? Number.NaN);
    if (!(port <= 65_535)) return undefined;
    if (match?.[1] !== undefined) return IPV6.test(match[1]) ? { host: match[1], port } : undefined;
    const host = match?.[2] ?? '';
    if (host === '') return { host: null, port };
    return HOST.test(host) ? { host, port } : undefined;
  },
);

/**
 * `["a:2379","b:2379"]`, `[a:2379]` (what a shell leaves of the quotes) or `a:2379,b:2379`, each with or without
 * `http://` or `https://`. As URLs without a path; those without a scheme take the others', and start with `//`
 * when none has one. An empty list is legal.
 */
export const etcdEndpoints = textSchema(
  'must be a list of host:port, such as ["etcd:2379"] or a:2379,b:2379, not http:// and https:// at once',
  (text) => {
    const bare = unquoted(text);
    const list = /^\[.*\]$/s.test(bare) ? bare.slice(1, -1) : bare;
    const items = list.split(',').map(unquoted);
    if (items.length === 1 && items[0] === '') return [];
    const addresses = items.map(endpoint);
    if (!addresses.every((address) => address !== undefined)) return undefined;
    const schemes = new Set(addresses.flatMap(({ scheme }) => scheme ?? []));
    if (schemes.size > 1) return undefined;
    const [scheme = ''] = schemes;
    return [...new Set(addresses.map(({ authority }) => `${scheme}//${authority}`))];
  },
);

function unquoted(text: string): string {
  return text
    .trim()
    .replace(/^(['"])(.*)\1$/s, '$2')
    .trim();
}

function endpoint(text: string): { scheme: string | undefined; authority: string } | undefined {
  const match = /^(?:(https?:)\/\/)?([^/]+)\/?$/i.exec(text);
  const address = hostAndPort(match?.[2] ?? '', 2379);
  if (address === undefined) return undefined;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return { scheme: match?.[1]?.toLowerCase(), authority: `${host}:${address.port}` };
}

/** Without a slash at its end; with one at its start, as etcd users write it. */
export const etcdPrefix = textSchema('must be a path such as /app/config, at most 256 characters long', (text) =>
  /^\/[\w./-]{1,255}$/.test(text) && !/^\/+$/.test(text) ? text.replace(/\/+$/, '') : undefined,
);

/** Longer text is no value of any setting, and is neither parsed nor quoted. */
export const MAX_VALUE_LENGTH = 16_384;

const PATH_LENGTH = 255;
/** What a PEM holds between its first and its last line; a path begins otherwise, or is shorter. */
const KEY_MATERIAL = /^[A-Za-z0-9+][A-Za-z0-9+/]{62,}={0,2}$/;

/** The text of a key or of a certificate, and not the path of its file. */
function looksLikePem(text: string): boolean {
  return /[\r\n]|-----BEGIN/.test(text) || KEY_MATERIAL.test(text);
}

/** The path of a file. Many variables beside these hold a PEM itself, so that one is told apart and never quoted. */
export const filePath = textSchema(
  `must be the path of a file, at most ${PATH_LENGTH} characters long; when it is the text of a PEM, write that to a file`,
  (text) => (text.length <= PATH_LENGTH && !looksLikePem(text) ? text : undefined),
);

/** `text` for a message: short, on one line, without passwords and keys. */
export function excerpt(text: string): string {
  if (text.length > PATH_LENGTH || looksLikePem(text)) return `${text.length} characters long`;
  const masked = withHiddenEscaped(JSON.stringify(maskUrl(text)));
  return masked.length <= 80 ? masked : `${masked.slice(0, 76)}…" (${text.length} characters)`;
}
