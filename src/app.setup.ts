import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyServerOptions } from 'fastify';
import { acceptStreamedBodies, limitBodyArrival } from './body-arrival.js';
import { MAX_BODY_BYTES } from './body-limits.js';
import { controlAccess } from './access/access-control.js';
import { reloadCertificate } from './certificate-reload.js';
import type { StaticSettings } from './config/static-settings.js';
import { CORRELATION_HEADER, correlationIdOf } from './correlation.js';
import { DomainErrorFilter, sendErrorReply } from './domain-error.filter.js';
import { drainOnClose } from './drain.js';
import { internalReply, replyFor } from './error-mapping.js';
import { acceptJsonBodies, limitBodies } from './json-body.js';
import { KnownRoutes } from './known-routes.js';
import { createLogger, loggingParams, nestLogger } from './logging.js';
import { boundReplies } from './reply-deadline.js';
import { CSV, NDJSON } from './import/import.controller.js';
import { logRequests } from './request-log.js';
import { RequestValidationPipe } from './request-validation.js';
import { setSecurityHeaders } from './security-headers.js';
import { refuseOnSocket } from './socket-errors.js';
import { serveSwagger } from './swagger.js';
import { boundUntakenReplies } from './untaken-replies.js';

type RootModule = Parameters<typeof NestFactory.create>[0];

// Node refuses longer heads itself (431), so that every id that arrives at all reaches its schema.
const MAX_HEAD_BYTES = 16 * 1024;

// How often Node looks for requests that take too long to arrive; its own 30 s would let a timeout of 10 s last 40.
const TIMEOUT_CHECK_MS = 1000;

/**
 * The whole application, ready to `listen`: main.ts and the tests start the same one.
 * Logs through nestjs-pino from the first line on, so `module` imports `LoggerModule.forRoot(loggingParams(settings))`.
 */
export async function createApp(
  settings: StaticSettings,
  module: RootModule,
  logger = createLogger(settings),
): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter(serverOptions(settings));
  const fastify: FastifyInstance = adapter.getInstance();
  const routes = new KnownRoutes(fastify);
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.header(CORRELATION_HEADER, request.id);
    done();
  });
  limitBodyArrival(fastify, settings.serverReadTimeoutMs);
  setSecurityHeaders(fastify, settings.tls !== null);
  limitBodies(fastify);
  acceptJsonBodies(fastify);
  // Of files; everything else takes JSON.
  acceptStreamedBodies(fastify, [NDJSON, CSV]);
  drainOnClose(fastify);
  boundReplies(fastify, settings.serverWriteTimeoutMs, logger);
  logRequests(fastify, logger);
  reloadCertificate(fastify, settings.tlsFiles, logger);
  await controlAccess(fastify, settings, logger);
  boundUntakenReplies(fastify);
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    logger: nestLogger(loggingParams(settings, logger)),
    bodyParser: false,
    // A failed start is thrown to main.ts, which explains it, instead of ending the process here.
    abortOnError: false,
  });
  setupApp(app, routes);
  return app;
}

/** What every request passes: validation, the error filter, the documentation. */
function setupApp(app: NestFastifyApplication, routes: KnownRoutes): void {
  app.useGlobalPipes(new RequestValidationPipe());
  app.useGlobalFilters(new DomainErrorFilter(routes));
  serveSwagger(app);
}

function serverOptions(settings: StaticSettings) {
  const node = {
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    // Bodies have a time limit of their own, which knows the route.
    requestTimeout: 0,
    headersTimeout: settings.serverReadTimeoutMs,
    maxHeaderSize: MAX_HEAD_BYTES,
  };
  const options = {
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: 0,
    keepAliveTimeout: settings.serverIdleTimeoutMs,
    connectionTimeout: settings.serverWriteTimeoutMs,
    forceCloseConnections: 'idle',
    // Requests on connections that are still open are served to the end; what must be refused says so itself.
    return503OnClosing: false,
    trustProxy: false,
    routerOptions: { maxParamLength: MAX_HEAD_BYTES },
    genReqId: (request) => correlationIdOf(request.headers),
    frameworkErrors: (error, request, reply) => {
      void reply.header(CORRELATION_HEADER, request.id);
      sendErrorReply(reply, replyFor(error) ?? internalReply(request.id));
    },
    clientErrorHandler: (error, socket) => refuseOnSocket(error, socket),
  } satisfies FastifyServerOptions;
  if (settings.tls === null) return { ...options, http: node };
  return { ...options, https: { ...node, ...settings.tls, handshakeTimeout: settings.serverReadTimeoutMs } };
}
