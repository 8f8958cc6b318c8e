import { resolve } from 'node:path';
import { StartupError } from '../startup-error.js';
import { readAccess } from './access-settings.js';
import { readEtcdTls, readServerTls, readWebhookTls } from './read-tls-files.js';
import { STATIC_KEYS, type StaticKey, type StaticValues } from './static-keys.js';
import { StaticSettings } from './static-settings.js';
import { StaticText, type Findings } from './static-text.js';
import { excerpt } from './static-values.js';

/**
 * The static settings, frozen: `environment` over `config/app.<APP_ENV>.yaml` over `config/app.defaults.yaml`.
 * Reads those files, the TLS files and the file of API keys, and nothing else. Who does not `serve` needs no API keys.
 * @throws StartupError that names every bad setting at once, a line each, with secrets masked.
 */
export function loadStaticSettings(environment: NodeJS.ProcessEnv, { serve } = { serve: true }): StaticSettings {
  const findings: Findings = { faults: [], warnings: [] };
  const env = environment['APP_ENV']?.trim() || 'local';
  if (!/^[a-z0-9_-]{1,64}$/.test(env)) {
    throw refusal([`APP_ENV must be a name of lower-case letters, digits, - and _, but is ${excerpt(env)}`]);
  }
  const configDir = resolve(environment['APP_CONFIG_DIR']?.trim() || 'config');
  const text = new StaticText(environment, configDir, env, findings);
  const values = parseAll(text, findings);

  if (values.dbUrl === null && env !== 'local') {
    findings.faults.push(`APP_DB_URL is required unless APP_ENV is local (it is ${env})`);
  }
  if (values.redisAddr?.mode === 'cluster' && values.redisDb !== 0) {
    findings.faults.push('APP_REDIS_DB must be 0 with a Redis Cluster, which has no other database');
  }
  findings.faults.push(...redisUserFaults(values));
  if (values.etcdPassword != null && values.etcdUser == null) {
    findings.faults.push('APP_REMOTE_ETCD_PASSWORD is set without APP_REMOTE_ETCD_USER; set both or neither');
  }
  if (values.logLevel === null) {
    findings.warnings.push('LOG_LEVEL is not fatal, error, warn, info, debug or trace; info is used');
  }
  const access = serve ? readAccess(env, values, findings.faults) : null;
  if (serve && access === null && values.auth === 'none') {
    findings.warnings.push('APP_AUTH is none: whoever reaches the port may read, send and operate');
  }
  const tls = readServerTls(values, findings.faults);
  const etcdTls = readEtcdTls(values, findings.faults);
  const webhookTls = readWebhookTls(values, findings.faults);
  if (findings.faults.length > 0) throw refusal(findings.faults);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- without a fault, every value is there
  return assemble(values as StaticValues, {
    env,
    configDir,
    access,
    tls,
    etcdTls,
    webhookTls,
    warnings: findings.warnings,
  });
}

function redisUserFaults({ redisAddr, redisUsername, redisPassword }: Partial<StaticValues>): string[] {
  const inAddress = redisAddr?.username ?? null;
  if (inAddress !== null && redisUsername != null && inAddress !== redisUsername) {
    return ['APP_REDIS_USERNAME and APP_REDIS_ADDR name different users; name one of them'];
  }
  // An empty one is not sent at all; a user who has no password is let in with any.
  return redisAddr != null && (inAddress ?? redisUsername ?? null) !== null && redisPassword === null
    ? ['A Redis user is named without APP_REDIS_PASSWORD; set it (any text for a user who has none)']
    : [];
}

function parseAll(text: StaticText, findings: Findings): Partial<StaticValues> {
  const values: Record<string, unknown> = {};
  for (const [name, key] of Object.entries<StaticKey<unknown>>(STATIC_KEYS)) {
    const found = text.get(key);
    if (found === undefined && key.optional) values[name] = null;
    else if (found === undefined) {
      // When the defaults could not be read, that alone is the fault to name.
      if (findings.faults.length === 0) findings.faults.push(`${key.variable} has neither a value nor a default`);
    } else {
      const parsed = key.schema.safeParse(found.text);
      if (parsed.success) values[name] = parsed.data;
      else {
        const value = key.secret ? '***' : excerpt(found.text);
        findings.faults.push(`${found.from} ${parsed.error.issues[0]?.message ?? 'is not valid'}, but is ${value}`);
      }
    }
  }
  return values;
}

type Rest = Pick<StaticSettings, 'env' | 'configDir' | 'access' | 'tls' | 'etcdTls' | 'webhookTls' | 'warnings'>;

function assemble(values: StaticValues, rest: Rest): StaticSettings {
  // Whoever names a CA or a certificate wants TLS, and need not write https:// as well.
  const scheme = rest.etcdTls === null ? 'http:' : 'https:';
  const endpoints = (values.etcdEndpoints ?? []).map((url) => (url.startsWith('//') ? `${scheme}${url}` : url));
  const settings: StaticSettings = {
    env: rest.env,
    dbUrl: values.dbUrl,
    dbDirectUrl: values.dbDirectUrl,
    dbDispatchConnections: values.dbDispatchConnections,
    dbApiConnections: values.dbApiConnections,
    redis:
      values.redisAddr === null
        ? null
        : Object.freeze({
            ...values.redisAddr,
            username: values.redisUsername ?? values.redisAddr.username,
            password: values.redisPassword,
            sentinelPassword: values.redisSentinelPassword,
            db: values.redisDb,
          }),
    listen: Object.freeze(values.port),
    etcdEndpoints: Object.freeze(endpoints),
    etcdPrefix: values.etcdPrefix,
    etcdAuth:
      values.etcdUser === null
        ? null
        : Object.freeze({ username: values.etcdUser, password: values.etcdPassword ?? '' }),
    etcdTls: rest.etcdTls,
    sandbox: values.sandbox,
    webhookAllow: values.webhookAllow ?? Object.freeze({ ranges: [], hosts: [] }),
    webhookTls: rest.webhookTls,
    access: rest.access,
    hosts: values.hosts ?? Object.freeze([]),
    apiRequestsPerMinute: values.apiRateLimit,
    importMaxBytes: values.importMaxBytes,
    importMaxRows: values.importMaxRows,
    serverReadTimeoutMs: values.serverReadTimeout * 1000,
    serverWriteTimeoutMs: values.serverWriteTimeout * 1000,
    serverIdleTimeoutMs: values.serverIdleTimeout * 1000,
    logLevel: values.logLevel ?? 'info',
    logFormat: ['dev', 'development'].includes(values.logEnv.toLowerCase()) ? 'pretty' : 'json',
    serviceName: values.serviceName,
    tls: rest.tls,
    tlsFiles:
      values.tlsCert === null || values.tlsKey === null
        ? null
        : Object.freeze({ cert: values.tlsCert, key: values.tlsKey }),
    configDir: rest.configDir,
    warnings: Object.freeze(rest.warnings),
  };
  return Object.freeze(Object.assign(new StaticSettings(), settings));
}

function refusal(faults: readonly string[]): StartupError {
  const head = faults.length === 1 ? 'One setting is not valid' : `${faults.length} settings are not valid`;
  return new StartupError([`${head}:`, ...faults.map((fault) => `  - ${fault}`)].join('\n'));
}
