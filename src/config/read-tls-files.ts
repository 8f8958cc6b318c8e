import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { codeOf } from '../described-error.js';
import { STATIC_KEYS, type StaticValues } from './static-keys.js';
import type { StaticSettings } from './static-settings.js';

type Values = Partial<StaticValues>;

/** The server's certificate and key; null without USE_HTTPS, or when something was wrong and was added to `faults`. */
export function readServerTls(values: Values, faults: string[]): StaticSettings['tls'] {
  if (values.useHttps !== true) return null;
  for (const name of ['tlsCert', 'tlsKey'] as const) {
    if (values[name] === null)
      faults.push(`${STATIC_KEYS[name].variable} must name a PEM file, because USE_HTTPS is true`);
  }
  const cert = readPem('tlsCert', values, faults);
  const key = readPem('tlsKey', values, faults);
  if (cert === null || key === null) return null;
  return checked({ cert, key }, 'TLS_CERT and TLS_KEY', faults);
}

/** What the connection to etcd needs beside the system's own certificates; null when that is nothing. */
export function readEtcdTls(values: Values, faults: string[]): StaticSettings['etcdTls'] {
  const ca = readPem('etcdCa', values, faults);
  const cert = readPem('etcdCert', values, faults);
  const key = readPem('etcdKey', values, faults);
  if ((values.etcdCert == null) !== (values.etcdKey == null)) {
    faults.push('APP_REMOTE_ETCD_CERT and APP_REMOTE_ETCD_KEY belong together; set both or neither');
    return null;
  }
  if (ca === null && cert === null) return null;
  if (values.etcdEndpoints?.some((url) => url.startsWith('http://')) === true) {
    faults.push(
      'APP_REMOTE_ETCD_CA, _CERT and _KEY are of no use with http:// in APP_REMOTE_ETCD_ENDPOINTS; write https://',
    );
    return null;
  }
  return checked({ ca, cert, key }, 'APP_REMOTE_ETCD_CA, _CERT and _KEY', faults);
}

/** What connections to the webhook need beside Node's own certificates; null when that is nothing. */
export function readWebhookTls(values: Values, faults: string[]): StaticSettings['webhookTls'] {
  const ca = readPem('webhookCa', values, faults);
  const cert = readPem('webhookCert', values, faults);
  const key = readPem('webhookKey', values, faults);
  if ((values.webhookCert == null) !== (values.webhookKey == null)) {
    faults.push('APP_WEBHOOK_CERT and APP_WEBHOOK_KEY belong together; set both or neither');
    return null;
  }
  if (ca === null && cert === null) return null;
  return checked({ ca, cert, key }, 'APP_WEBHOOK_CA, _CERT and _KEY', faults);
}

type PemName = 'tlsCert' | 'tlsKey' | 'etcdCa' | 'etcdCert' | 'etcdKey' | 'webhookCa' | 'webhookCert' | 'webhookKey';

function readPem(name: PemName, values: Values, faults: string[]) {
  const path = values[name];
  if (path === null || path === undefined) return null;
  try {
    return readFileSync(path);
  } catch (error) {
    faults.push(`${STATIC_KEYS[name].variable}: ${path} cannot be read (${codeOf(error) ?? String(error)})`);
    return null;
  }
}

function checked<T extends { readonly [part: string]: Buffer | null }>(
  pem: T,
  names: string,
  faults: string[],
): T | null {
  try {
    const given = Object.entries(pem).filter(([, value]) => value !== null);
    createSecureContext(Object.fromEntries(given));
    // There, a CA that is none is ignored.
    if (pem['ca'] != null) new X509Certificate(pem['ca']).toString();
    return Object.freeze(pem);
  } catch (error) {
    faults.push(`${names} cannot be used together: ${error instanceof Error ? error.message : 'not PEM'}`);
    return null;
  }
}
