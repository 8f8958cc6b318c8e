import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { refuse } from './error-mapping.js';
import { RequestRefused } from './error-reply.js';
import { tooComplex } from './json-complexity.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The largest body that the route takes. */
    readonly maxBodyBytes?: number;
  }
}

type Done = (error: Error | null, body?: unknown) => void;

/**
 * Takes JSON bodies and no others. A body of no bytes is no body, whatever its type (`curl -X POST -d ''` sends one);
 * text that is not UTF-8 is refused rather than stored with replacement characters.
 */
export function acceptJsonBodies(fastify: FastifyInstance): void {
  const parseJson = fastify.getDefaultJsonParser('error', 'error');
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done: Done) => {
    if (body.length === 0) done(null, undefined);
    else if (!isUtf8(body)) done(refused('request.invalid_json', 'is not valid UTF-8'));
    else {
      const reason = tooComplex(body);
      if (reason === null) void parseJson(request, body.toString('utf8'), done);
      else done(refused('request.too_complex', reason));
    }
  });
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body: Buffer, done: Done) => {
    if (body.length === 0) done(null, undefined);
    else done(Object.assign(new Error('not JSON'), { code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE' }));
  });
  fastify.addHook('onSend', (request, reply, payload, done) => {
    if (reply.statusCode === 413) readToEnd(request, reply);
    done(null, payload);
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
