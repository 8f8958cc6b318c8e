import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { signingKey } from '../config/signing-secrets.js';

/** The headers of Standard Webhooks 1.0 (symmetric, `v1`). */
export interface SignatureHeaders {
  readonly 'webhook-id': string;
  /** Seconds since 1970, of this attempt. */
  readonly 'webhook-timestamp': string;
  /** One signature per secret, in their order, blanks between. */
  readonly 'webhook-signature': string;
}

/** Signs with each of the secrets that it is given; the keys of the latest ones are kept ready. */
export class WebhookSigner {
  private secrets: readonly string[] = [];
  private keys: readonly KeyObject[] = [];

  /** `body` is what is sent, to the letter; `id` is the same on every attempt at a message. */
  sign(secrets: readonly string[], id: string, body: string, now: number): SignatureHeaders {
    if (secrets !== this.secrets) {
      this.keys = secrets.map((secret) => createSecretKey(signingKey(secret)));
      this.secrets = secrets;
    }
    const timestamp = String(Math.floor(now / 1000));
    const signed = `${id}.${timestamp}.${body}`;
    const signatures = this.keys.map((key) => `v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
    return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
  }
}
