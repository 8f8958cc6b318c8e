import type { FastifyInstance } from 'fastify';

/** Which methods each path of the API takes: tells a path that is unknown from a method that is not allowed. */
export class KnownRoutes {
  private readonly methodsByPattern = new Map<string, Set<string>>();

  /** Watches every route that is registered from now on. */
  constructor(fastify: FastifyInstance) {
    fastify.addHook('onRoute', ({ url, method }) => {
      // A wildcard serves assets; a path below it is unknown unless the asset exists.
      if (url.includes('*')) return;
      const methods = this.methodsByPattern.get(url) ?? new Set();
      for (const one of [method].flat()) methods.add(one);
      this.methodsByPattern.set(url, methods);
    });
  }

  /** The methods that this path takes, sorted; none for an unknown path. */
  allowed(path: string): string[] {
    const segments = path.split('/');
    return [...this.methodsByPattern]
      .filter(([pattern]) => matches(pattern.split('/'), segments))
      .flatMap(([, methods]) => [...methods])
      .toSorted();
  }
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, index) => (part.startsWith(':') ? segments[index] !== '' : part === segments[index]))
  );
}
