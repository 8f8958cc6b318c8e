import { isIP, type BlockList } from 'node:net';
import { rangeList, specialUseOf } from './special-addresses.js';
import type { StaticSettings } from './static-settings.js';
import { normalHost } from './webhook-allow.js';

/** Where the webhook may be: on the internet, or where APP_WEBHOOK_ALLOW says; in `local`, anywhere. */
export class WebhookTargets {
  private readonly anywhere: boolean;
  private readonly hosts: ReadonlySet<string>;
  private readonly ipv4: BlockList;
  private readonly ipv6: BlockList;

  constructor({ env, webhookAllow }: Pick<StaticSettings, 'env' | 'webhookAllow'>) {
    this.anywhere = env === 'local';
    this.hosts = new Set(webhookAllow.hosts);
    // Apart: whether a range of IPv6 counts for IPv4 as well depends on the version of Node.
    this.ipv4 = rangeList(...webhookAllow.ranges.filter((range) => !range.includes(':')));
    this.ipv6 = rangeList(...webhookAllow.ranges.filter((range) => range.includes(':')));
  }

  /** Why `address`, which is `hostname` or was found for it, may not be connected to; null when it may. */
  refusal(hostname: string, address: string): string | null {
    if (this.anywhere || this.hosts.has(normalHost(hostname))) return null;
    const use = specialUseOf(address);
    if (use === null || this.allows(address)) return null;
    const what = hostname === address ? 'it is' : `its address ${address} is`;
    return `${hostname} may not be called: ${what} not on the internet (${use}); if that is meant, name it in APP_WEBHOOK_ALLOW`;
  }

  /** The same for a URL whose host is an address; null for one with a name, which only a connection resolves. */
  refusalOf(url: string): string | null {
    const hostname = new URL(url).hostname.replace(/^\[|\]$/g, '');
    return isIP(hostname) === 0 ? null : this.refusal(hostname, hostname);
  }

  private allows(address: string): boolean {
    const [bare = ''] = address.split('%', 1);
    if (isIP(bare) === 4) return this.ipv4.check(bare, 'ipv4');
    return isIP(bare) === 6 && (this.ipv6.check(bare, 'ipv6') || this.ipv4.check(bare, 'ipv6'));
  }
}
