import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { buildConnector } from 'undici';
import type { StaticSettings } from '../config/static-settings.js';
import type { WebhookTargets } from '../config/webhook-targets.js';

type Resolve = (
  hostname: string,
  options: { readonly all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** A connection that was not begun, because its target is not allowed. */
export class EgressRefused extends Error {
  override readonly name = 'EgressRefused';
}

/**
 * Makes connections to allowed targets alone. A name is resolved once for each connection, and what was checked is what
 * is dialled, so a name that changes its mind gains nothing. A name with even one address that is not allowed is refused
 * as a whole: it is a mistake or an attempt, and which address gets dialled must not be left to chance.
 */
export class EgressGuard {
  private readonly secureContext: SecureContext | undefined;

  constructor(
    private readonly targets: WebhookTargets,
    tls: StaticSettings['webhookTls'],
    private readonly resolve: Resolve = systemLookup,
  ) {
    // Made once: reading all the certificates takes tens of milliseconds.
    this.secureContext = tls === null ? undefined : secureContextOf(tls);
  }

  /** What undici opens connections with, one for all to an origin. */
  connector(): buildConnector.connector {
    const connect = buildConnector({
      lookup: this.lookup,
      // Said aloud, because NODE_TLS_REJECT_UNAUTHORIZED could say otherwise.
      rejectUnauthorized: true,
      ...(this.secureContext === undefined ? {} : { secureContext: this.secureContext }),
    });
    return (options, done) => {
      // Nobody looks up what is an address already.
      const refusal = isIP(options.hostname) === 0 ? null : this.targets.refusal(options.hostname, options.hostname);
      if (refusal === null) connect(options, done);
      else setImmediate(done, new EgressRefused(refusal), null);
    };
  }

  private readonly lookup: LookupFunction = (hostname, options, done) => {
    this.resolve(hostname, { ...options, all: true }, (error, found) => {
      const [first] = found ?? [];
      if (error !== null || first === undefined) return done(error ?? new Error(`${hostname} has no address`), []);
      const refusal = found.map(({ address }) => this.targets.refusal(hostname, address)).find((text) => text !== null);
      if (refusal != null) return done(new EgressRefused(refusal), []);
      if (options.all === true) done(null, found);
      else done(null, first.address, first.family);
    });
  };
}

/** The extra CA counts beside the ones that Node trusts, not in their place. */
function secureContextOf({ ca, cert, key }: NonNullable<StaticSettings['webhookTls']>): SecureContext {
  return createSecureContext({
    ...(ca === null ? {} : { ca: [...rootCertificates, ca] }),
    ...(cert === null || key === null ? {} : { cert, key }),
  });
}
