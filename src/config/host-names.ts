import { textSchema } from './static-values.js';
import { isHostName, normalHost } from './webhook-allow.js';

const WITH_PORT = /^(.*):([1-9]\d{0,4})$/;

/**
 * `dispatcher.example.com,api.example.com:8443`: names that browsers may call the service by, with a port where it is not that of
 * the scheme. In lower case, without a dot at the end.
 */
export const hostNames = textSchema(
  'must be a list of host names, with a port where it is neither 80 nor 443, such as dispatcher.example.com,api.example.com:8443',
  (text): readonly string[] | undefined => {
    const hosts = text.split(',').map((item) => hostOf(item.trim()));
    return hosts.every((host) => host !== undefined) ? Object.freeze(hosts) : undefined;
  },
);

function hostOf(item: string): string | undefined {
  const [, before = item, port] = WITH_PORT.exec(item) ?? [];
  const name = normalHost(before);
  if (!isHostName(name) || Number(port ?? 1) > 65_535) return undefined;
  return port === undefined ? name : `${name}:${port}`;
}
