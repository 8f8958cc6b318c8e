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

/**
 * Finds out before anything else is brought up whether the port can be had.
 * @throws StartupError that names APP_PORT and the remedy when it cannot.
 */
export async function assertPortFree({ host, port }: StaticSettings['listen']): Promise<void> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once('error', reject);
      probe.listen(port, host, resolve);
    });
    await new Promise((resolve) => probe.close(resolve));
  } catch (error) {
    throw explained(error, host, port);
  }
}

/**
 * Opens the port. Resolves with the port that was opened (APP_PORT 0 lets the system choose one).
 * @throws StartupError that names APP_PORT and the remedy when the address cannot be had.
 */
export async function listen(app: NestFastifyApplication, { host, port }: StaticSettings['listen']): Promise<number> {
  try {
    await app.listen(port, host);
  } catch (error) {
    throw explained(error, host, port);
  }
  const address = app.getHttpServer().address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

function explained(error: unknown, host: string, port: number): unknown {
  const remedy = REMEDIES[codeOf(error) ?? '']?.(host, port);
  return remedy === undefined ? error : new StartupError(remedy, { cause: error });
}
