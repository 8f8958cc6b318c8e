import { hostname } from 'node:os';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { StaticSettings } from '../config/static-settings.js';
import { sendErrorReply } from '../domain-error.filter.js';
import { BrowserGuard } from './browser-guard.js';
import { credentialsOf, refusalOf, type Credentials } from './admission.js';
import { ringOf } from './key-file.js';
import { rateLimitOf } from './rate-limit.js';

const NOBODY: Credentials = { shown: false, isBearer: false, key: null };
const DOCUMENTATION = /^\/swagger(?:\/|$)/;

/**
 * Decides over every request before its body is read: whose it is, whether it is one too many, whether it may be made.
 * Where keys are in force, a route that declares no scope is closed. Paths that do not exist are 404 for everybody.
 */
export async function controlAccess(
  fastify: FastifyInstance,
  settings: Pick<StaticSettings, 'access' | 'apiRequestsPerMinute' | 'hosts'>,
  logger: Logger,
): Promise<void> {
  const ring = settings.access === null ? null : ringOf(fastify, settings.access, logger);
  const guard = new BrowserGuard(settings.hosts, hostname());
  const limit = settings.apiRequestsPerMinute === 0 ? null : await rateLimitOf(fastify, settings.apiRequestsPerMinute);
  fastify.decorateRequest('caller', null);
  fastify.addHook('onRoute', (route) => {
    // The page, its assets and the document: the same for every installation, and where one types the key in.
    if (DOCUMENTATION.test(route.url)) route.config = { ...route.config, scope: 'public' };
  });
  fastify.addHook('onRequest', async (request, reply) => {
    const { scope, unlimited } = request.routeOptions.config;
    if (unlimited === true) return;
    const { headers, method } = request;
    const credentials = ring === null ? NOBODY : credentialsOf(headers.authorization, ring);
    request.caller = credentials.key;
    const refusal =
      (limit && (await limit(request, reply))) ??
      (ring === null
        ? guard.refusalOf(method, headers)
        : request.is404
          ? guard.crossSite(method, headers)
          : refusalOf(scope, credentials));
    if (refusal === null) return;
    sendErrorReply(reply, refusal);
    // Fastify waits for what an asynchronous hook resolves with: the reply says that it is answered.
    return reply;
  });
}
