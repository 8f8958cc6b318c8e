import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A reverse proxy that takes a base path away, as nginx does with `location /dispatcher/ { proxy_pass http://origin/; }`. */
export class BasePathProxy {
  private constructor(
    private readonly server: Server,
    private readonly basePath: string,
  ) {}

  static async to(origin: string, basePath: string): Promise<BasePathProxy> {
    const server = createServer((incoming, outgoing) => {
      const path = incoming.url ?? '';
      if (!path.startsWith(basePath)) return void outgoing.writeHead(404).end();
      const { method, headers } = incoming;
      const forwarded = request(origin, { method, headers, path: `/${path.slice(basePath.length)}` }, (reply) => {
        outgoing.writeHead(reply.statusCode ?? 502, reply.headers);
        reply.pipe(outgoing);
      });
      incoming.pipe(forwarded);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new BasePathProxy(server, basePath);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${this.basePath}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
