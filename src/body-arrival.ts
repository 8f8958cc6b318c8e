import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { refuse } from './error-mapping.js';
import { RequestRefused } from './error-reply.js';
import { refuseOnSocket } from './socket-errors.js';

declare module 'fastify' {
  // oxlint-disable-next-line typescript/no-empty-object-type -- routes that stream have it, the others nothing
  interface FastifyContextConfig extends Partial<StreamedBody> {}
}

/** Given to a route as its configuration (`@RouteConfig`), it hands the body on as a stream, of whatever size. */
export interface StreamedBody {
  /** The media types that the route takes; every other one is refused. */
  readonly streams: readonly string[];
}

/**
 * How long a body may take. Most have to arrive within `timeoutMs` of their headers, or the connection ends (408).
 * That of a route which streams may take as long as it likes; the route sees to it that it does not stall.
 * Node's own `requestTimeout` knows no routes, so it is off.
 */
export function limitBodyArrival(fastify: FastifyInstance, timeoutMs: number): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const types = streamedTypes(request);
    if (types === null || !hasBody(request.headers)) {
      if (hasBody(request.headers)) endWhenLate(request, timeoutMs);
      done();
      return;
    }
    // The server's limit for a silent connection (APP_SERVER_WRITE_TIMEOUT) would cut off a long last step. Node sets it
    // anew for the next request.
    request.raw.socket.setTimeout(0);
    reply.raw.once('finish', () => dropRest(request, timeoutMs));
    done();
  });
}

/**
 * Has routes that stream get their bodies as they come, in one of their types; others keep refusing these types. What is
 * wrong with a body is told only to those who may call the route: after every `onRequest` hook.
 */
export function acceptStreamedBodies(fastify: FastifyInstance, types: readonly string[]): void {
  fastify.addHook('preParsing', (request, _reply, _payload, done) => {
    const wanted = streamedTypes(request);
    if (wanted === null || !hasBody(request.headers)) done();
    else done(misfit(request.headers, wanted));
  });
  fastify.addContentTypeParser([...types], (request, payload, done) => {
    if (streamedTypes(request) !== null) done(null, payload);
    else {
      payload.resume();
      done(Object.assign(new Error('not JSON'), { code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE' }));
    }
  });
}

function streamedTypes(request: FastifyRequest): readonly string[] | null {
  return request.routeOptions.config.streams ?? null;
}

function misfit(headers: IncomingHttpHeaders, types: readonly string[]): RequestRefused | null {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';');
  const charset = parameters.map((text) => /^charset="?([^"]*)"?$/.exec(text.trim())?.[1]).find((text) => text);
  if (types.includes(type.trim()) && (charset ?? 'utf-8') === 'utf-8' && headers['content-encoding'] === undefined) {
    return null;
  }
  const text = `The body must be ${types.join(' or ')}, in UTF-8 and not compressed, and the header Content-Type must say so`;
  return new RequestRefused(refuse(415, 'request.media_type', text));
}

function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function endWhenLate({ raw }: FastifyRequest, timeoutMs: number): void {
  const late = setTimeout(() => {
    if (raw.complete) return;
    refuseOnSocket(Object.assign(new Error('the body is late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), raw.socket);
  }, timeoutMs);
  const arrived = () => clearTimeout(late);
  raw.once('end', arrived).once('close', () => {
    if (raw.complete || raw.socket.destroyed) arrived();
  });
}

// A client that is still sending would see a broken connection instead of the reply.
function dropRest(request: FastifyRequest, timeoutMs: number): void {
  if (request.raw.complete) return;
  request.raw.resume();
  endWhenLate(request, timeoutMs);
}
