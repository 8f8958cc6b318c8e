import { z } from 'zod';
import { decoded, hostAndPort, type TextSchema } from './static-values.js';

/** One server of a database. */
export interface DatabaseServer {
  /** As node-postgres takes it, which knows of no other server. */
  readonly url: string;
  /** Where it is; null: as node-postgres reads it from the URL. */
  readonly at: { readonly host: string; readonly port: number } | null;
}

/** Where a database is: on one server, or on several of which one takes writes. */
export interface DatabaseAddress {
  /** In the order in which they are tried. */
  readonly servers: readonly [DatabaseServer, ...DatabaseServer[]];
  /** Whether a server is taken only if it takes writes. */
  readonly writable: boolean;
  /** How long one server may take to answer. */
  readonly serverTimeoutMs: number;
}

const SHAPE = /^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)([^/?#@]*)([/?#].*)?$/s;
/** After the hosts: an @ outside the parameters, or a #. The password then has a /, ? or #, and ends before it. */
const MISPLACED = /^[^?#=]*@|^\?[^=]*@|#/;
/** As node-postgres takes them. */
const SSL_MODES: readonly string[] = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'];
/** Those of libpq's that a service which writes can use. With one server `any` is the default, with several `read-write`. */
const WRITABLE: readonly string[] = ['read-write', 'primary'];
const ONE_TIMEOUT_MS = 5_000;
/** Short, because the next server may be the right one. */
const EACH_TIMEOUT_MS = 2_000;

/** Reads `postgres://user:password@host1:5432,host2:5432/database?…` as libpq does; undefined when it is none. */
export function parseDatabaseAddress(text: string): DatabaseAddress | undefined {
  const [, head, hosts = '', tail = ''] = SHAPE.exec(text) ?? [];
  if (head === undefined || MISPLACED.test(tail)) return undefined;
  const [first = '', ...others] = hosts.split(',').map((host) => host.trim());
  const several = others.length > 0;
  const read = (host: string): DatabaseServer => ({
    url: `${head}${host}${tail}`,
    at: several ? (hostAndPort(host, 5432) ?? null) : null,
  });
  const servers = [read(first), ...others.map(read)] as const;
  if (!servers.every(({ url, at }) => URL.canParse(url) && (!several || at !== null))) return undefined;
  const { searchParams } = new URL(servers[0].url);
  const wanted = searchParams.get('target_session_attrs') ?? (several ? 'read-write' : 'any');
  if (!WRITABLE.includes(wanted) && (several || wanted !== 'any')) return undefined;
  const seconds = /^[1-9]\d{0,2}$/.exec(searchParams.get('connect_timeout') ?? '')?.[0];
  return {
    servers,
    writable: wanted !== 'any',
    serverTimeoutMs: seconds === undefined ? (several ? EACH_TIMEOUT_MS : ONE_TIMEOUT_MS) : Number(seconds) * 1_000,
  };
}

/** What makes a URL that has the shape of one unusable, in words that can follow its name; null when nothing does. */
function databaseUrlFault(url: URL): string | null {
  if ([url.username, url.password, url.pathname].some((part) => decoded(part) === undefined)) {
    return 'must be percent-encoded in its user, its password and its database, where a % is written %25';
  }
  const sslMode = url.searchParams.get('sslmode');
  if (sslMode !== null && !SSL_MODES.includes(sslMode)) return `must have an sslmode out of ${SSL_MODES.join(', ')}`;
  const schema = url.searchParams.get('schema');
  if (schema !== null && schema !== '' && schema !== 'public') {
    return 'must not name a schema, which PostgreSQL does not take from a URL: use ALTER ROLE … SET search_path instead';
  }
  return null;
}

const WANTED =
  'must be a URL like postgres://user:password@host:5432/database?sslmode=disable, where several hosts are written ' +
  'host1:5432,host2:5432 and target_session_attrs, if any, is read-write or primary; in the password / is written %2F, ' +
  '@ %40, ? %3F, # %23 and % %25';

export const postgresUrl: TextSchema<string> = z.string().transform((text, context) => {
  const server = parseDatabaseAddress(text)?.servers[0];
  const fault = server === undefined ? WANTED : databaseUrlFault(new URL(server.url));
  if (fault === null) return text;
  context.addIssue({ code: 'custom', message: fault });
  return z.NEVER;
});
