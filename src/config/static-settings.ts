import type { WebhookAllow } from './webhook-allow.js';
import type { AccessSettings } from './access-settings.js';
import type { RedisAddress } from './redis-address.js';

/** Where the service runs and whom it talks to; read once, before Nest starts anything. Injectable by its class. */
export class StaticSettings {
  /** APP_ENV, `local` when unset. */
  readonly env!: string;
  /** APP_DB_URL; null only in `local`, where the service then brings up a PostgreSQL of its own. */
  readonly dbUrl!: string | null;
  /**
   * APP_DB_DIRECT_URL; set, it says that APP_DB_URL leads to a pooler that hands connections on after each transaction,
   * and where PostgreSQL itself is, for what such a pooler cannot carry.
   */
  readonly dbDirectUrl!: string | null;
  /** APP_DB_DISPATCH_CONNECTIONS: to PostgreSQL, for claims, settlements and turns. */
  readonly dbDispatchConnections!: number;
  /** APP_DB_API_CONNECTIONS: to PostgreSQL, for everything that callers of the API wait for. */
  readonly dbApiConnections!: number;
  /**
   * APP_REDIS_ADDR, APP_REDIS_USERNAME, APP_REDIS_PASSWORD, APP_REDIS_SENTINEL_PASSWORD, APP_REDIS_DB; null when no address
   * is set: the service then runs without Redis.
   */
  readonly redis!:
    | (RedisAddress & {
        readonly password: string | null;
        readonly sentinelPassword: string | null;
        readonly db: number;
      })
    | null;
  /** APP_PORT; without a `host`, all addresses of the machine. */
  readonly listen!: { readonly host: string | null; readonly port: number };
  /** APP_REMOTE_ETCD_ENDPOINTS as URLs; empty: the YAML file alone. */
  readonly etcdEndpoints!: readonly string[];
  /** APP_REMOTE_ETCD_PREFIX, without a slash at its end: the live settings are the keys directly below it. */
  readonly etcdPrefix!: string;
  /** APP_REMOTE_ETCD_USER and APP_REMOTE_ETCD_PASSWORD; null where etcd asks for neither. */
  readonly etcdAuth!: { readonly username: string; readonly password: string } | null;
  /** APP_REMOTE_ETCD_CA, _CERT and _KEY, already read; null: plain text, or the system's own certificates. */
  readonly etcdTls!: { readonly ca: Buffer | null; readonly cert: Buffer | null; readonly key: Buffer | null } | null;
  /** APP_SANDBOX: in `local`, messages go to the built-in receiver while no `webhook_url` is set, also with APP_DB_URL. */
  readonly sandbox!: boolean;
  /** APP_WEBHOOK_ALLOW: where the webhook may be, other than on the internet. */
  readonly webhookAllow!: WebhookAllow;
  /** APP_WEBHOOK_CA, _CERT and _KEY, already read; null: Node's own certificates, and none of ours. */
  readonly webhookTls!: {
    readonly ca: Buffer | null;
    readonly cert: Buffer | null;
    readonly key: Buffer | null;
  } | null;
  /** APP_AUTH, APP_API_KEYS and APP_API_KEYS_FILE; null lets everybody call everything. */
  readonly access!: AccessSettings | null;
  /** APP_HOSTS: names that browsers may call the service by where no keys are in force. */
  readonly hosts!: readonly string[];
  /** APP_API_RATE_LIMIT, per key, and per address without one; 0: no limit. */
  readonly apiRequestsPerMinute!: number;
  /** APP_IMPORT_MAX_BYTES, of one POST /messages/import. */
  readonly importMaxBytes!: number;
  /** APP_IMPORT_MAX_ROWS, of one POST /messages/import. */
  readonly importMaxRows!: number;
  readonly serverReadTimeoutMs!: number;
  readonly serverWriteTimeoutMs!: number;
  readonly serverIdleTimeoutMs!: number;
  readonly logLevel!: string;
  /** LOG_ENV: ECS JSON lines, or readable ones. */
  readonly logFormat!: 'json' | 'pretty';
  readonly serviceName!: string;
  /** USE_HTTPS with TLS_CERT and TLS_KEY, already read; null serves plain HTTP. */
  readonly tls!: { readonly cert: Buffer; readonly key: Buffer } | null;
  /** Where `tls` came from. */
  readonly tlsFiles!: { readonly cert: string; readonly key: string } | null;
  /** APP_CONFIG_DIR, `config` below the working directory when unset; absolute. */
  readonly configDir!: string;
  /** What the operator should know and what does not keep the service from starting, a sentence each: for the log. */
  readonly warnings!: readonly string[];
}
