import { isIP } from 'node:net';
import { textSchema } from './static-values.js';

/** What APP_WEBHOOK_ALLOW names, normalised: ranges as `address/prefix`, hosts in lower case without a dot at the end. */
export interface WebhookAllow {
  readonly ranges: readonly string[];
  readonly hosts: readonly string[];
}

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** `10.1.0.0/16,fd00::/8,127.0.0.1,receiver.internal`: ranges, addresses and host names. */
export const webhookAllow = textSchema(
  'must be a list of addresses, ranges and host names, such as 10.1.0.0/16,::1,receiver.internal',
  (text): WebhookAllow | undefined => {
    const ranges: string[] = [];
    const hosts: string[] = [];
    for (const item of text.split(',')) {
      const entry = item.trim().toLowerCase();
      const range = rangeOf(entry);
      if (range !== undefined) ranges.push(range);
      else if (isHostName(normalHost(entry))) hosts.push(normalHost(entry));
      else return undefined;
    }
    return Object.freeze({ ranges: Object.freeze(ranges), hosts: Object.freeze(hosts) });
  },
);

/** Host names are compared without regard to case and to the dot that ends an absolute one. */
export function normalHost(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

function rangeOf(entry: string): string | undefined {
  const match = /^(\[?)([0-9a-f:.]+)(\]?)(?:\/(\d{1,3}))?$/.exec(entry);
  const address = match?.[2] ?? '';
  const version = isIP(address);
  if (version === 0 || (match?.[1] === '[') !== (match?.[3] === ']')) return undefined;
  const longest = version === 4 ? 32 : 128;
  const prefix = Number(match?.[4] ?? longest);
  return prefix <= longest ? `${address}/${prefix}` : undefined;
}

/** A name whose last label is a number would be read as an address, in whatever notation. */
export function isHostName(text: string): boolean {
  const labels = text.split('.');
  return (
    text.length <= 253 && labels.every((label) => LABEL.test(label)) && !/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')
  );
}
