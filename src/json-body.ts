import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BodyReader } from './body-reader.js';
import { refuse } from './error-mapping.js';
import { RequestRefused } from './error-reply.js';
import { tooComplex } from './json-complexity.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The largest body that the route takes. */
    readonly maxBodyBytes?: number;
  }
}

/**
 * Takes JSON bodies and no others. A body of no bytes is no body, whatever its type (`curl -X POST -d ''` sends one);
 * text that is not UTF-8 is refused rather than stored with replacement characters.
 */
export function acceptJsonBodies(fastify: FastifyInstance): void {
  const parseJson = parserOf(fastify);
  const bodies = new BodyReader(fastify);
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', async (request: FastifyRequest, payload: Readable) => {
    const body = await bodies.read(request, payload);
    if (body.length === 0) return undefined;
    if (!isUtf8(body)) throw refused('request.invalid_json', 'is not valid UTF-8');
    const reason = tooComplex(body);
    if (reason !== null) throw refused('request.too_complex', reason);
    return await parseJson(request, body.toString('utf8'));
  });
  fastify.addContentTypeParser('*', async (request: FastifyRequest, payload: Readable) => {
    const body = await bodies.read(request, payload);
    if (body.length === 0) return undefined;
    throw Object.assign(new Error('not JSON'), { code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE' });
  });
  fastify.addHook('onSend', (request, reply, payload, done) => {
    if ([413, 503].includes(reply.statusCode) && !request.raw.complete) readToEnd(request, reply);
    done(null, payload);
  });
}

function parserOf(fastify: FastifyInstance) {
  const parse = fastify.getDefaultJsonParser('error', 'error');
  return (request: FastifyRequest, text: string) =>
    new Promise<unknown>((resolve, reject) => {
      void parse(request, text, (error, value) => (error === null ? resolve(value) : reject(error)));
    });
}

function refused(code: string, reason: string): RequestRefused {
  return new RequestRefused(refuse(400, code, `The body ${reason}`));
}

/** Lets the bodies of a route have its own `maxBodyBytes`; all others have the server's limit. */
export function limitBodies(fastify: FastifyInstance): void {
  fastify.addHook('onRoute', (route) => {
    const { maxBodyBytes } = route.config ?? {};
    if (maxBodyBytes !== undefined) route.bodyLimit = maxBodyBytes;
  });
}

// Fastify would close the connection at once, and the client, still sending, would see it broken instead of the reply.
// What comes is dropped; Node ends it after the server's read timeout.
function readToEnd(request: FastifyRequest, reply: FastifyReply): void {
  reply.removeHeader('connection');
  request.raw.resume();
}
