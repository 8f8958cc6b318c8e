import { decoded, hostAndPort, textSchema } from './static-values.js';

/** Where Redis is, as one server, behind Sentinel, or as a Cluster. */
export type RedisAddress = RedisNodes &
  (
    | { readonly mode: 'single' }
    | { readonly mode: 'cluster' }
    | { readonly mode: 'sentinel'; readonly masterName: string }
  );

interface RedisNodes {
  /** The server, the Sentinels, or some nodes of the Cluster. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly tls: boolean;
  /** The user of Redis's access lists; null: the default one. */
  readonly username: string | null;
}

const SHAPE = /^(?:redis(s)?(?:-(sentinel|cluster))?:\/\/)?(?:([^/?#@:,]{1,256})@)?([^/?#@]+)(?:\/([\w.-]{1,128})?)?$/i;
const SENTINEL_PORT = 26_379;

/** `host:port`, `redis[s]://host:port`, `redis[s]-sentinel://a,b,c/master`, `redis[s]-cluster://a,b,c`, each with `user@`. */
export const redisAddress = textSchema(
  'must be host:port, such as redis:6379, or redis://host:port, redis-sentinel://host1:26379,host2:26379/mymaster or ' +
    'redis-cluster://host1:6379,host2:6379 (rediss with TLS); a user is APP_REDIS_USERNAME or user@ before the host, the password ' +
    'APP_REDIS_PASSWORD, the database APP_REDIS_DB',
  (text): RedisAddress | undefined => {
    const [, tls, kind, user, hosts = '', path] = SHAPE.exec(text) ?? [];
    const mode = kind?.toLowerCase() ?? 'single';
    const nodes = hosts.split(',').flatMap((host) => {
      const node = hostAndPort(host.trim(), mode === 'sentinel' ? SENTINEL_PORT : 6379);
      return node === undefined ? [] : [node];
    });
    if (hosts === '' || nodes.length < hosts.split(',').length) return undefined;
    const username = user === undefined ? null : decoded(user);
    if (username === undefined) return undefined;
    const common = { nodes, tls: tls !== undefined, username };
    if (mode === 'sentinel') return { mode, ...common, masterName: path ?? 'mymaster' };
    if (path !== undefined) return undefined;
    if (mode === 'cluster') return { mode, ...common };
    return nodes.length === 1 ? { mode: 'single', ...common } : undefined;
  },
);
