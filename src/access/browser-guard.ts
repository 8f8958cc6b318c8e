import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { refuse } from '../error-mapping.js';
import type { HttpErrorReply } from '../error-reply.js';

const MAX_SHOWN_CHARS = 100;
const CHANGES_NOTHING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Names that nobody can have on the internet: a single label, or below a reserved name. They cannot be rebound from there. */
const PRIVATE_NAME = /^[^.]+$|\.(?:localhost|local|internal|svc|svc\.cluster\.local|home\.arpa|test)$/;

const CROSS_SITE = refuse(
  403,
  'request.cross_site',
  'A page of another site may not make this call. Where a proxy changes the Host header, name the public host in APP_HOSTS',
);

/**
 * Keeps pages of other sites from using the browser of somebody on this network, where no key is needed. Fetch Metadata says
 * where a page is from, but browsers send it to HTTPS and localhost alone; `Origin` they send with everything that changes
 * something. A name that leads to this address by way of the page's own DNS (rebinding) is the page's own site to a browser:
 * so only names count that nobody outside can have, or that are in APP_HOSTS.
 */
export class BrowserGuard {
  private readonly named: ReadonlySet<string>;
  private readonly hosts: ReadonlySet<string>;

  /** `named`: APP_HOSTS, some with a port. `machine`: this machine's own name, by which it answers; its other ports are other sites. */
  constructor(named: readonly string[], machine: string) {
    this.named = new Set(named.map((host) => host.toLowerCase()));
    this.hosts = new Set([...this.named, machine.toLowerCase()].map((host) => host.replace(/:\d+$/, '')));
  }

  /** Why this request may not be made where no key is needed; null: it may. */
  refusalOf(method: string, headers: IncomingHttpHeaders): HttpErrorReply | null {
    return this.foreignHost(headers.host) ?? this.crossSite(method, headers);
  }

  /** Why a page of another site may not make this request; null: it may, or it comes from no page. */
  crossSite(method: string, headers: IncomingHttpHeaders): HttpErrorReply | null {
    if (CHANGES_NOTHING.has(method)) return null;
    const site = headers['sec-fetch-site'];
    if (site === 'cross-site' || site === 'same-site') return CROSS_SITE;
    const { origin, host } = headers;
    if (origin === undefined) return null;
    // Pages in a sandbox, of files and of redirects have the origin `null`.
    const from = URL.canParse(origin) ? new URL(origin) : null;
    const isOwn = from !== null && (from.host === hostOf(host, from.protocol) || this.isNamed(from));
    return isOwn ? null : CROSS_SITE;
  }

  /** A page on another port of the same host is another site: what is meant has the scheme's port or the one that is listed. */
  private isNamed({ protocol, hostname: name, port }: URL): boolean {
    if (port !== '') return this.named.has(`${name}:${port}`);
    return this.named.has(name) || this.named.has(`${name}:${protocol === 'https:' ? 443 : 80}`);
  }

  private foreignHost(header: string | undefined): HttpErrorReply | null {
    if (header === undefined) return null;
    const name = nameIn(header);
    if (name !== null && (isIP(name) !== 0 || PRIVATE_NAME.test(name) || this.hosts.has(name))) return null;
    const shown = header.slice(0, MAX_SHOWN_CHARS);
    const text = `Without API keys this service answers to addresses and local names only, not to ${shown}: name the host in APP_HOSTS`;
    return refuse(403, 'request.unknown_host', text);
  }
}

/** A Host header as `URL.host` would have it: without the port that the scheme has anyway. */
function hostOf(header: string | undefined, protocol: string): string | null {
  const url = `${protocol}//${header}`;
  return header !== undefined && URL.canParse(url) ? new URL(url).host : null;
}

/** The name or address of a Host header, in lower case, without port, brackets and the dot of an absolute name. */
function nameIn(header: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::\d{1,5})?$/.exec(header.toLowerCase());
  return match?.[1] ?? match?.[2]?.replace(/\.$/, '') ?? null;
}
