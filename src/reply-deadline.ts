import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { onReplyEnd } from './reply-end.js';

/**
 * A reply that its client has not taken in this long after it began is broken off. The socket's own timeout ends only
 * connections on which nothing moves at all: who takes a byte now and then would keep one, and the reply in memory, for ever.
 */
export function boundReplies(fastify: FastifyInstance, withinMs: number, logger: Logger): void {
  fastify.addHook('onSend', (request, reply, payload, done) => {
    const { raw } = reply;
    const deadline = setTimeout(() => {
      const { method, routeOptions } = request;
      // Fastify reports replies that end or fail; this one does neither.
      logger.info(
        { 'trace.id': request.id, 'client.ip': request.ip },
        `${method} ${routeOptions.url ?? '(unknown path)'}: the client did not take the reply within ${withinMs} ms, it is broken off`,
      );
      raw.destroy();
    }, withinMs);
    deadline.unref();
    onReplyEnd(raw, request.raw.socket, () => clearTimeout(deadline));
    done(null, payload);
  });
}
