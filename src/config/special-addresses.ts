import { BlockList, isIP } from 'node:net';

/**
 * The IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and what came after it), multicast, and the one
 * public address at which a cloud serves its metadata. Entries that are globally reachable (AS112, AMT, PCP and TURN
 * anycast) are in here too: whoever is nearest answers there, and no webhook lives at any of them.
 */
const SPECIAL_RANGES: readonly (readonly [range: string, use: string])[] = [
  ['0.0.0.0/8', 'this network'],
  ['10.0.0.0/8', 'private use'],
  ['100.64.0.0/10', 'carrier-grade NAT'],
  ['127.0.0.0/8', 'loopback'],
  ['168.63.129.16/32', 'metadata of Azure'],
  ['169.254.0.0/16', 'link-local, and the metadata of clouds'],
  ['172.16.0.0/12', 'private use'],
  ['192.0.0.0/24', 'protocol assignments'],
  ['192.0.2.0/24', 'documentation'],
  ['192.31.196.0/24', 'AS112'],
  ['192.52.193.0/24', 'multicast tunnels'],
  ['192.88.99.0/24', '6to4 relays'],
  ['192.168.0.0/16', 'private use'],
  ['192.175.48.0/24', 'AS112'],
  ['198.18.0.0/15', 'benchmarking'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved, and broadcast'],
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  ['::/96', 'IPv4-compatible'],
  ['64:ff9b:1::/48', 'local NAT64'],
  ['100::/64', 'discard-only'],
  ['2001::/32', 'Teredo'],
  ['2001::/23', 'protocol assignments'],
  ['2001:db8::/32', 'documentation'],
  ['2002::/16', '6to4'],
  ['2620:4f:8000::/48', 'AS112'],
  ['3fff::/20', 'documentation'],
  ['5f00::/16', 'segment routing'],
  ['fc00::/7', 'private use'],
  ['fe80::/10', 'link-local'],
  ['fec0::/10', 'site-local'],
  ['ff00::/8', 'multicast'],
];

/** IPv6 has no address on the internet outside these: global unicast, and IPv4 as NAT64 and as a socket writes it. */
const INTERNET_IPV6 = rangeList('2000::/3', '64:ff9b::/96', '::ffff:0:0/96');

const SPECIAL = SPECIAL_RANGES.map(([range, use]) => ({ use, list: rangeList(range, ...translated(range)) }));

/**
 * What an address is for when it is not simply somewhere on the internet; null when it is. IPv4 addresses inside IPv6
 * ones are judged as what they stand for where a packet would be carried there (mapped, the well-known NAT64 prefix);
 * forms that need a tunnel (6to4, Teredo) or that nobody routes (IPv4-compatible) are special as a whole.
 */
export function specialUseOf(address: string): string | null {
  const [bare = ''] = address.split('%', 1);
  const version = isIP(bare);
  if (version === 0) return 'not an IP address';
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const special = SPECIAL.find(({ list }) => list.check(bare, family));
  if (special !== undefined) return special.use;
  return version === 4 || INTERNET_IPV6.check(bare, family) ? null : 'not allocated';
}

/** A rule for an IPv4 range counts for IPv4-mapped IPv6 addresses as well. */
export function rangeList(...ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    list.addSubnet(address, Number(prefix), address.includes(':') ? 'ipv6' : 'ipv4');
  }
  return list;
}

/** The same IPv4 range behind the well-known NAT64 prefix (RFC 6052). */
function translated(range: string): string[] {
  const [address = '', prefix] = range.split('/');
  return address.includes(':') ? [] : [`64:ff9b::${address}/${96 + Number(prefix)}`];
}
