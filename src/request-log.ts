import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';

const QUIET = /^\/(?:health|swagger)(?:\/|$)/;
const MAX_PATH_CHARS = 200;

/**
 * Writes one line for each request that was answered or given up: method, path, status and time, never the query, a header
 * or a body. Runs of seven digits and more in the path are masked, since they may be a phone number.
 * Probes and the assets of the documentation are logged at `debug`.
 */
export function logRequests(fastify: FastifyInstance, logger: Logger): void {
  fastify.addHook('onResponse', (request, reply, done) => {
    logRequest(logger, request, reply);
    done();
  });
}

function logRequest(logger: Logger, request: FastifyRequest, reply: FastifyReply): void {
  const { method } = request;
  const path = loggablePath(request.url);
  const outcome = reply.raw.writableFinished ? String(reply.statusCode) : 'given up by the client';
  const fields = {
    'trace.id': request.id,
    'http.request.method': method,
    'url.path': path,
    'http.response.status_code': reply.statusCode,
    'event.duration': Math.round(reply.elapsedTime * 1e6),
    'client.ip': request.ip,
    ...(request.caller && { 'user.name': request.caller.name }),
  };
  logger[QUIET.test(path) ? 'debug' : 'info'](
    fields,
    `${method} ${path} ${outcome} in ${Math.round(reply.elapsedTime)} ms`,
  );
}

function loggablePath(url: string): string {
  const [path = ''] = url.split('?', 1);
  return path.slice(0, MAX_PATH_CHARS).replace(/\d{7,}/g, '***');
}
