import { readFileSync } from 'node:fs';
import { Server } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { StaticSettings } from './config/static-settings.js';
import { watchFiles } from './watch-files.js';

/**
 * Serves what the files of the certificate and its key hold now: a change counts for connections made from then on.
 * Files that cannot be used together leave the certificate before them in service, with a warning.
 */
export function reloadCertificate(fastify: FastifyInstance, files: StaticSettings['tlsFiles'], logger: Logger): void {
  const server: unknown = fastify.server;
  if (files === null || !(server instanceof Server)) return;
  const stop = watchFiles([files.cert, files.key], () => {
    try {
      const pem = { cert: readFileSync(files.cert), key: readFileSync(files.key) };
      // Tried beside the server first: a context that fails half-way would leave it with a part of it.
      createSecureContext(pem);
      server.setSecureContext(pem);
      logger.info(`${files.cert} changed: the new certificate is served from now on`);
    } catch (error) {
      logger.warn(
        { err: error },
        'TLS_CERT and TLS_KEY changed and cannot be used; the certificate before them is served',
      );
    }
  });
  fastify.addHook('onClose', (_fastify, done) => {
    stop();
    done();
  });
}
