import * as fc from 'fast-check';
import { specialUseOf } from './special-addresses.js';

type Neighbour = 'open' | 'special' | null;

/**
 * Every entry of the IANA registries of special-purpose addresses, multicast, and what was withdrawn (site-local,
 * IPv4-compatible); with what lies right before and right after it, null where the address space ends.
 */
const IPV4: readonly (readonly [range: string, before: Neighbour, after: Neighbour])[] = [
  ['0.0.0.0/8', null, 'open'],
  ['0.0.0.0/32', null, 'special'],
  ['10.0.0.0/8', 'open', 'open'],
  ['100.64.0.0/10', 'open', 'open'],
  ['127.0.0.0/8', 'open', 'open'],
  ['168.63.129.16/32', 'open', 'open'],
  ['169.254.0.0/16', 'open', 'open'],
  ['169.254.169.254/32', 'special', 'special'],
  ['172.16.0.0/12', 'open', 'open'],
  ['192.0.0.0/24', 'open', 'open'],
  ['192.0.0.0/29', 'open', 'special'],
  ['192.0.0.8/32', 'special', 'special'],
  ['192.0.0.9/32', 'special', 'special'],
  ['192.0.0.10/32', 'special', 'special'],
  ['192.0.0.170/32', 'special', 'special'],
  ['192.0.0.171/32', 'special', 'special'],
  ['192.0.2.0/24', 'open', 'open'],
  ['192.31.196.0/24', 'open', 'open'],
  ['192.52.193.0/24', 'open', 'open'],
  ['192.88.99.0/24', 'open', 'open'],
  ['192.88.99.2/32', 'special', 'special'],
  ['192.168.0.0/16', 'open', 'open'],
  ['192.175.48.0/24', 'open', 'open'],
  ['198.18.0.0/15', 'open', 'open'],
  ['198.51.100.0/24', 'open', 'open'],
  ['203.0.113.0/24', 'open', 'open'],
  ['224.0.0.0/4', 'open', 'special'],
  ['240.0.0.0/4', 'special', null],
  ['255.255.255.255/32', 'special', null],
];
const IPV6: typeof IPV4 = [
  ['::/128', null, 'special'],
  ['::1/128', 'special', 'special'],
  ['::/96', null, 'special'],
  ['::ffff:0:0/96', 'special', 'special'],
  ['64:ff9b::/96', 'special', 'special'],
  ['64:ff9b:1::/48', 'special', 'special'],
  ['100::/64', 'special', 'special'],
  ['100:0:0:1::/64', 'special', 'special'],
  ['2001::/23', 'open', 'open'],
  ['2001::/32', 'open', 'special'],
  ['2001:1::1/128', 'special', 'special'],
  ['2001:1::2/128', 'special', 'special'],
  ['2001:1::3/128', 'special', 'special'],
  ['2001:2::/48', 'special', 'special'],
  ['2001:3::/32', 'special', 'special'],
  ['2001:4:112::/48', 'special', 'special'],
  ['2001:10::/28', 'special', 'special'],
  ['2001:20::/28', 'special', 'special'],
  ['2001:30::/28', 'special', 'special'],
  ['2001:db8::/32', 'open', 'open'],
  ['2002::/16', 'open', 'open'],
  ['2620:4f:8000::/48', 'open', 'open'],
  ['3fff::/20', 'open', 'open'],
  ['4000::/2', 'open', 'special'],
  ['5f00::/16', 'special', 'special'],
  ['8000::/1', 'special', null],
  ['fc00::/7', 'special', 'special'],
  ['fe80::/10', 'special', 'special'],
  ['fec0::/10', 'special', 'special'],
  ['ff00::/8', 'special', null],
];

const groups = (text: string) => (text === '' ? [] : text.split(':'));

/** Independent of what is tested: plain arithmetic. */
function toNumber(address: string): bigint {
  if (!address.includes(':')) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const [head = '', tail] = address.split('::');
  const missing = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: missing }, () => '0'), ...groups(tail ?? '')];
  return all.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}
const ipv4 = (number: bigint) => [24n, 16n, 8n, 0n].map((shift) => (number >> shift) & 255n).join('.');
const ipv6 = (number: bigint) =>
  [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) => ((number >> shift) & 65_535n).toString(16)).join(':');

function bounds(range: string, bits: number): readonly [first: bigint, last: bigint] {
  const [address = '', prefix] = range.split('/');
  const size = 1n << BigInt(bits - Number(prefix));
  const first = toNumber(address);
  return [first, first + size - 1n];
}

const verdict = (address: string): Neighbour => (specialUseOf(address) === null ? 'open' : 'special');

const MAPPED = 0xffffn << 32n;
const NAT64 = 0x64ff9bn << 96n;

describe('addresses of special use', () => {
  it.each(IPV4)('holds %s from its first to its last address, and ends there', (range, before, after) => {
    const [first, last] = bounds(range, 32);
    const all = [
      [first - 1n, before],
      [first, 'special'],
      [last, 'special'],
      [last + 1n, after],
    ] as const;
    for (const [number, expected] of all) {
      if (expected === null) continue;
      expect([ipv4(number), verdict(ipv4(number))]).toEqual([ipv4(number), expected]);
      // The forms in which IPv6 writes IPv4 mean the same; the one that nothing carries is special by itself.
      expect([ipv4(number), 'mapped', verdict(ipv6(MAPPED + number))]).toEqual([ipv4(number), 'mapped', expected]);
      expect([ipv4(number), 'NAT64', verdict(ipv6(NAT64 + number))]).toEqual([ipv4(number), 'NAT64', expected]);
      expect(verdict(`::ffff:${ipv4(number)}`)).toBe(expected);
      expect(verdict(ipv6(number))).toBe('special');
    }
  });

  it.each(IPV6)('holds %s from its first to its last address, and ends there', (range, before, after) => {
    const [first, last] = bounds(range, 128);
    const all = [
      [first - 1n, before],
      [first, 'special'],
      [last, 'special'],
      [last + 1n, after],
    ] as const;
    const told = all.filter(([, expected]) => expected !== null);
    expect(told.map(([number]) => [ipv6(number), verdict(ipv6(number))])).toEqual(
      told.map(([number, expected]) => [ipv6(number), expected]),
    );
  });

  it('takes 6to4 and Teredo forms for special, whatever they hold', () => {
    for (const address of ['2002:a00:1::1', '2002:808:808::1', '2001:0:a00:1::1', '2001:0:808:808::f5ff:fffe']) {
      expect([address, verdict(address)]).toEqual([address, 'special']);
    }
  });

  it('says the same as plain arithmetic on the registries, for any address', () => {
    const within = (ranges: typeof IPV4, bits: number, number: bigint) =>
      ranges.some(([range]) => bounds(range, bits)[0] <= number && number <= bounds(range, bits)[1]);
    const bits32 = fc.bigInt({ min: 0n, max: (1n << 32n) - 1n });
    fc.assert(
      fc.property(bits32, (number) => {
        const expected = within(IPV4, 32, number) ? 'special' : 'open';
        expect(verdict(ipv4(number))).toBe(expected);
        expect(verdict(ipv6(MAPPED + number))).toBe(expected);
        expect(verdict(ipv6(NAT64 + number))).toBe(expected);
      }),
      { numRuns: 1000 },
    );
    const globalUnicast = bounds('2000::/3', 128);
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (number) => {
        const unicast = globalUnicast[0] <= number && number <= globalUnicast[1];
        expect(verdict(ipv6(number))).toBe(unicast && !within(IPV6, 128, number) ? 'open' : 'special');
      }),
      { numRuns: 1000 },
    );
  });

  it.each(['1.1.1.1', '8.8.8.8', '2606:4700:4700::1111', '2a00:1450:4001:81b::200e', '64:ff9b::808:808'])(
    'leaves %s to the internet',
    (address) => {
      expect(specialUseOf(address)).toBeNull();
    },
  );

  it.each(['', 'localhost', '127.1', '0x7f.1', '2130706433', '[::1]', '1.1.1.1/32', '1.1.1.1:80'])(
    'lets nothing pass that is no address: %j',
    (text) => {
      expect(specialUseOf(text)).toBe('not an IP address');
    },
  );

  it('looks through the zone of an address', () => {
    expect(specialUseOf('fe80::1%eth0')).toBe('link-local');
    expect(specialUseOf('::1%1')).toBe('loopback');
  });
});
