import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ENDING, refuse } from './error-mapping.js';
import { RequestRefused } from './error-reply.js';
import { refuseOnSocket } from './socket-errors.js';

declare module 'fastify' {
  // oxlint-disable-next-line typescript/no-empty-object-type -- routes that stream have it, the others nothing
  interface FastifyContextConfig extends Partial<StreamedBody> {}
}

/** What is on its way when the service ends may still arrive so long. */
const ENDING_GRACE_MS = 200;
/** So long a client gets to read that the service ends. */
const ENDING_LINGER_MS = 300;

/** Given to a route as its configuration (`@RouteConfig`), it hands the body on as a stream, of whatever size. */
export interface StreamedBody {
  /** The media types that the route takes; every other one is refused. */
  readonly streams: readonly string[];
}

/**
 * How long a body may take. Most have to arrive within `timeoutMs` of their headers, or the connection ends (408).
 * That of a route which streams may take as long as it likes; the route sees to it that it does not stall.
 * Node's own `requestTimeout` knows no routes, so it is off. When the service ends, a body that has not arrived is refused
 * (503), rather than waited for.
 */
export function limitBodyArrival(fastify: FastifyInstance, timeoutMs: number): void {
  const arrivals = new Arrivals(timeoutMs);
  fastify.addHook('preClose', (done) => {
    arrivals.end();
    done();
  });
  fastify.addHook('onRequest', (request, reply, done) => {
    const types = streamedTypes(request);
    if (types === null || !hasBody(request.headers)) {
      if (hasBody(request.headers)) arrivals.await(request);
      done();
      return;
    }
    // The server's limit for a silent connection (APP_SERVER_WRITE_TIMEOUT) would cut off a long last step. Node sets it
    // anew for the next request.
    request.raw.socket.setTimeout(0);
    reply.raw.once('finish', () => dropRest(request, arrivals));
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

export function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** The bodies that are awaited. */
class Arrivals {
  private readonly awaited = new Set<Awaited>();
  private ending = false;

  constructor(private readonly timeoutMs: number) {}

  await({ raw }: FastifyRequest): void {
    const late = Object.assign(new Error('the body is late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    const awaited: Awaited = { raw, timer: setTimeout(() => refuseLate(raw, late), this.timeoutMs) };
    this.awaited.add(awaited);
    const over = () => {
      clearTimeout(awaited.timer);
      this.awaited.delete(awaited);
    };
    raw.once('end', over).once('close', () => {
      if (raw.complete || raw.socket.destroyed) over();
      else raw.socket.once('close', over);
    });
    if (this.ending) this.hurry(awaited);
  }

  /** Waits no longer than it takes what is on its way. */
  end(): void {
    this.ending = true;
    for (const awaited of this.awaited) this.hurry(awaited);
  }

  private hurry(awaited: Awaited): void {
    clearTimeout(awaited.timer);
    const ending = Object.assign(new Error('the service ends'), { code: ENDING });
    awaited.timer = setTimeout(() => refuseLate(awaited.raw, ending, { lingerMs: ENDING_LINGER_MS }), ENDING_GRACE_MS);
  }
}

interface Awaited {
  readonly raw: IncomingMessage;
  timer: NodeJS.Timeout;
}

function refuseLate(raw: IncomingMessage, error: Error, options?: { lingerMs: number }): void {
  if (!raw.complete) refuseOnSocket(error, raw.socket, options);
}

// A client that is still sending would see a broken connection instead of the reply.
function dropRest(request: FastifyRequest, arrivals: Arrivals): void {
  if (request.raw.complete) return;
  request.raw.resume();
  arrivals.await(request);
}
