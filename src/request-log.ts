import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';

const QUIET = /^\/(?:health|swagger)(?:\/|$)/;
const MAX_PATH_CHARS = 200;
const PLAIN = /^(?:[a-z_.]{1,32}\d{0,2}|\d{1,6})$/i;

/**
 * Writes one line for each request that was answered or given up: method, path, status and time, never the query, a header
 * or a body. What a caller put into the path is masked unless it is a word or a short number: it may be a phone number, a text or a key.
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
  const path = loggablePath(request.url, request.routeOptions.url);
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

/** The parts that the route itself has are shown as they are. */
function loggablePath(url: string, route = ''): string {
  const [path = ''] = url.split('?', 1);
  const known = route.split('/');
  const shown = (part: string, at: number) => part === '' || part === known[at] || PLAIN.test(part);
  return path
    .slice(0, MAX_PATH_CHARS)
    .split('/')
    .map((part, at) => (shown(part, at) ? part : '***'))
    .join('/');
}
