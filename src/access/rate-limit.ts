import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { refuse } from '../error-mapping.js';
import type { HttpErrorReply } from '../error-reply.js';

// An IPv6 network (/64) counts as one address. 5,000 addresses are remembered, the least recently seen forgotten first.
const WINDOW_MS = 60_000;

/** Counts a request, writes the `RateLimit-*` headers, and tells why it is one too many; null: it is not. */
export type RateLimit = (request: FastifyRequest, reply: FastifyReply) => Promise<HttpErrorReply | null>;

/**
 * A limit for all keys of one name, and for each address that shows no valid key; so nobody without a key can use up
 * what a key may do. Counted in this process alone.
 */
export async function rateLimitOf(fastify: FastifyInstance, perMinute: number): Promise<RateLimit> {
  await fastify.register(rateLimit, { global: false });
  const shared = { max: perMinute, timeWindow: WINDOW_MS };
  // A name in a map of its own: however many addresses come by, no key is forgotten.
  const byKey = fastify.createRateLimit({ ...shared, keyGenerator: (request) => request.caller?.name ?? '' });
  const byAddress = fastify.createRateLimit(shared);
  return async (request, reply) => {
    const count = await (request.caller === null ? byAddress : byKey)(request);
    if (count.isAllowed) return null;
    reply.raw.setHeader('ratelimit-limit', count.max);
    reply.raw.setHeader('ratelimit-remaining', count.remaining);
    reply.raw.setHeader('ratelimit-reset', count.ttlInSeconds);
    return count.isExceeded ? tooMany(perMinute, count.ttlInSeconds) : null;
  };
}

function tooMany(perMinute: number, seconds: number): HttpErrorReply {
  return refuse(429, 'request.rate_limited', `More than ${perMinute} calls in a minute: go on in ${seconds} s`, {
    'retry-after': String(seconds),
  });
}
