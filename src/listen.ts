import { createServer } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { StaticSettings } from './config/static-settings.js';
import { codeOf } from './described-error.js';
import { StartupError } from './startup-error.js';

type Remedy = (host: string, port: number) => string;

const foreignAddress: Remedy = (host, port) =>
  `APP_PORT: ${host} is not an address of this machine; name one that is, or none for all of them, as in APP_PORT=:${port}`;

const REMEDIES: Readonly<Record<string, Remedy>> = {
  EADDRINUSE: (_host, port) =>
    `APP_PORT: port ${port} is in use by another process; stop that one or choose another port, as in APP_PORT=:${port + 1}`,
  EACCES: (_host, port) =>
    `APP_PORT: this user may not open port ${port}; choose one from 1024 upwards, as in APP_PORT=:8080`,
  EADDRNOTAVAIL: foreignAddress,
  ENOTFOUND: foreignAddress,
  EAI_AGAIN: foreignAddress,
};

/** Without a host: every address, or on a machine without IPv6 every IPv4 address. */
const EVERYWHERE = ['::', '0.0.0.0'] as const;
const NO_IPV6: readonly string[] = ['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'];

/** Where to listen, as Node's `listen` takes it. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Finds out before anything else is brought up where the port can be had.
 * @throws StartupError that names APP_PORT and the remedy when it cannot.
 */
export async function findListenAddress({ host, port }: StaticSettings['listen']): Promise<ListenAddress> {
  if (host !== null) return await tried({ host, port });
  try {
    await probe({ host: EVERYWHERE[0], port });
    return { host: EVERYWHERE[0], port };
  } catch (error) {
    return await tried({ host: hostAfter(error), port });
  }
}

/** What to try when listening on all addresses failed: IPv4 alone, if it was IPv6 that is missing. */
export function hostAfter(error: unknown): string {
  return NO_IPV6.includes(codeOf(error) ?? '') ? EVERYWHERE[1] : EVERYWHERE[0];
}

/**
 * Opens the port. Resolves with the port that was opened (APP_PORT 0 lets the system choose one).
 * @throws StartupError that names APP_PORT and the remedy when the address cannot be had.
 */
export async function listen(app: NestFastifyApplication, { host, port }: ListenAddress): Promise<number> {
  try {
    await app.listen(port, host);
  } catch (error) {
    throw explained(error, host, port);
  }
  const address = app.getHttpServer().address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

async function tried(address: ListenAddress): Promise<ListenAddress> {
  try {
    await probe(address);
    return address;
  } catch (error) {
    throw explained(error, address.host, address.port);
  }
}

async function probe({ host, port }: ListenAddress): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  await new Promise((resolve) => server.close(resolve));
}

function explained(error: unknown, host: string, port: number): unknown {
  const remedy = REMEDIES[codeOf(error) ?? '']?.(host, port);
  return remedy === undefined ? error : new StartupError(remedy, { cause: error });
}
