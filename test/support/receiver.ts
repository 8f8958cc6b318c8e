import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it arrived. `at` is `performance.now()` when its body was complete, `wallAt` the same as `Date.now()`. */
export interface Received {
  readonly at: number;
  readonly wallAt: number;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly to: string;
  readonly content: string;
}

export type Behaviour = (received: Received, response: ServerResponse) => void | Promise<void>;

/** The documented answer, with an id of its own each time. */
export const accept: Behaviour = (_received, response) => {
  response.writeHead(202, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ message: 'Accepted', messageId: randomUUID() }));
};

/** Answers with a status and a body. */
export function answer(status: number, body = '', headers: Record<string, string> = {}): Behaviour {
  return (_received, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };
}

/** A real HTTP receiver on loopback, on 127.0.0.1 unless told otherwise, that keeps a ledger of all that it got. `behave` may be changed at any time. */
export class Receiver {
  readonly ledger: Received[] = [];
  behave: Behaviour = accept;
  private held: (() => void)[] = [];

  private constructor(private readonly server: Server) {}

  static async start(port = 0, host = '127.0.0.1'): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server);
    server.on('request', (request, response) => receiver.take(request, response));
    await new Promise<void>((resolve) => server.listen(port, host, resolve));
    return receiver;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/webhook`;
  }

  /** How many requests have not been answered yet. */
  get open(): number {
    return this.held.length;
  }

  /** A behaviour that answers nothing until `letGo` is called. */
  readonly hold: Behaviour = (received, response) => {
    this.held.push(() => void accept(received, response));
  };

  /** Answers what `hold` kept back. */
  letGo(): void {
    for (const respond of this.held.splice(0)) respond();
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const { to, content } = JSON.parse(body) as { to: string; content: string };
      const received: Received = {
        at: performance.now(),
        wallAt: Date.now(),
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body,
        to,
        content,
      };
      this.ledger.push(received);
      void this.behave(received, response);
    });
  }
}
