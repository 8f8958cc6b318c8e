import { z } from 'zod';
import { apiKeys } from './api-keys.js';
import { postgresUrl } from './database-address.js';
import { hostNames } from './host-names.js';
import { redisAddress } from './redis-address.js';
import {
  etcdEndpoints,
  etcdPrefix,
  listenAddress,
  switchValue,
  textSchema,
  wholeNumber,
  type TextSchema,
  filePath,
} from './static-values.js';
import { webhookAllow } from './webhook-allow.js';

/** Read before all others, because they say where the YAML files are. From the environment alone. */
export const PLACE_VARIABLES = ['APP_ENV', 'APP_CONFIG_DIR'] as const;

export interface StaticKey<T> {
  /** The environment variable; the YAML key is this name without `APP_`, in lower case. */
  readonly variable: string;
  readonly schema: TextSchema<T>;
  /** Whether empty text means "none". Elsewhere an empty variable counts as unset. */
  readonly optional: boolean;
  /** Never shown, and never taken from a file. */
  readonly secret: boolean;
}

const text = textSchema('must be at most 4096 characters long', (value) => (value.length <= 4096 ? value : undefined));
const logLevels: ReadonlyMap<string, string> = new Map([
  ['fatal', 'fatal'],
  ['panic', 'fatal'],
  ['error', 'error'],
  ['warn', 'warn'],
  ['warning', 'warn'],
  ['info', 'info'],
  ['debug', 'debug'],
  ['trace', 'trace'],
]);

function required<T>(variable: string, schema: TextSchema<T>): StaticKey<T> {
  return { variable, schema, optional: false, secret: false };
}

function optional<T>(variable: string, schema: TextSchema<T>, secret = false): StaticKey<T | null> {
  const orNone = z.string().transform((value, context): T | null => {
    if (value === '') return null;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) context.addIssue({ code: 'custom', message: issue.message });
    return z.NEVER;
  });
  return { variable, schema: orNone, optional: true, secret };
}

/** Every static setting: its name, its type and its limits. Meanings and defaults are in `config/app.defaults.yaml`. */
export const STATIC_KEYS = {
  dbUrl: optional('APP_DB_URL', postgresUrl),
  dbDirectUrl: optional('APP_DB_DIRECT_URL', postgresUrl),
  dbDispatchConnections: required('APP_DB_DISPATCH_CONNECTIONS', wholeNumber(2, 200)),
  dbApiConnections: required('APP_DB_API_CONNECTIONS', wholeNumber(2, 200)),
  redisAddr: optional('APP_REDIS_ADDR', redisAddress),
  redisUsername: optional('APP_REDIS_USERNAME', text),
  redisPassword: optional('APP_REDIS_PASSWORD', text, true),
  redisSentinelPassword: optional('APP_REDIS_SENTINEL_PASSWORD', text, true),
  redisDb: required('APP_REDIS_DB', wholeNumber(0, 1023)),
  port: required('APP_PORT', listenAddress),
  etcdEndpoints: optional('APP_REMOTE_ETCD_ENDPOINTS', etcdEndpoints),
  etcdPrefix: required('APP_REMOTE_ETCD_PREFIX', etcdPrefix),
  etcdUser: optional('APP_REMOTE_ETCD_USER', text),
  etcdPassword: optional('APP_REMOTE_ETCD_PASSWORD', text, true),
  etcdCa: optional('APP_REMOTE_ETCD_CA', filePath),
  etcdCert: optional('APP_REMOTE_ETCD_CERT', filePath),
  etcdKey: optional('APP_REMOTE_ETCD_KEY', filePath),
  webhookAllow: optional('APP_WEBHOOK_ALLOW', webhookAllow),
  webhookCa: optional('APP_WEBHOOK_CA', filePath),
  webhookCert: optional('APP_WEBHOOK_CERT', filePath),
  webhookKey: optional('APP_WEBHOOK_KEY', filePath),
  auth: optional(
    'APP_AUTH',
    textSchema('must be keys, none or empty', (value) => (value === 'keys' || value === 'none' ? value : undefined)),
  ),
  apiKeys: optional('APP_API_KEYS', apiKeys, true),
  apiKeysFile: optional('APP_API_KEYS_FILE', filePath),
  hosts: optional('APP_HOSTS', hostNames),
  apiRateLimit: required('APP_API_RATE_LIMIT', wholeNumber(0, 1_000_000_000)),
  importMaxBytes: required('APP_IMPORT_MAX_BYTES', wholeNumber(1_000, 1_000_000_000_000)),
  importMaxRows: required('APP_IMPORT_MAX_ROWS', wholeNumber(1, 1_000_000_000)),
  serverReadTimeout: required('APP_SERVER_READ_TIMEOUT', wholeNumber(1, 3600, 'seconds')),
  serverWriteTimeout: required('APP_SERVER_WRITE_TIMEOUT', wholeNumber(1, 3600, 'seconds')),
  serverIdleTimeout: required('APP_SERVER_IDLE_TIMEOUT', wholeNumber(1, 3600, 'seconds')),
  // An unknown level is no reason not to start: null becomes `info`, with a warning.
  logLevel: required(
    'LOG_LEVEL',
    textSchema('', (value) => logLevels.get(value.toLowerCase()) ?? null),
  ),
  logEnv: required('LOG_ENV', text),
  serviceName: required(
    'SERVICE_NAME',
    textSchema('must be 1 to 128 printable ASCII characters', (value) =>
      /^[\x21-\x7e]([\x20-\x7e]{0,126}[\x21-\x7e])?$/.test(value) ? value : undefined,
    ),
  ),
  // The ancestor of this service read it. Old deployments still set it; it changes nothing.
  ginMode: optional('GIN_MODE', z.string()),
  sandbox: required('APP_SANDBOX', switchValue),
  useHttps: required('USE_HTTPS', switchValue),
  tlsCert: optional('TLS_CERT', filePath),
  tlsKey: optional('TLS_KEY', filePath),
} as const satisfies Readonly<Record<string, StaticKey<unknown>>>;

export type StaticValues = {
  readonly [name in keyof typeof STATIC_KEYS]: z.output<(typeof STATIC_KEYS)[name]['schema']>;
};

export function yamlKeyOf(key: StaticKey<unknown>): string {
  return key.variable.replace(/^APP_/, '').toLowerCase();
}
