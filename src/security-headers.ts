import type { FastifyInstance } from 'fastify';
import helmet from 'helmet';

const SELF = ["'self'"];

/**
 * The headers that tell browsers what not to do with a reply. The policy is one under which Swagger UI works, which brings
 * styles in its page. HTTPS is insisted on only where it is served. No CORS header is ever sent.
 */
export function setSecurityHeaders(fastify: FastifyInstance, https: boolean): void {
  // Made once. The plugin @fastify/helmet would build all of it anew for each request.
  const secure = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: SELF,
        styleSrc: [...SELF, "'unsafe-inline'"],
        imgSrc: [...SELF, 'data:'],
        connectSrc: SELF,
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    strictTransportSecurity: https,
    xFrameOptions: { action: 'deny' },
  });
  fastify.addHook('onRequest', (request, reply, done) => {
    // It throws what it objects to, and calls back without an error.
    secure(request.raw, reply.raw, () => done());
  });
}
