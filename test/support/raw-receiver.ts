import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** A request as it came over one connection. */
export interface RawRequest {
  readonly head: string;
  readonly content: string;
  readonly socket: Socket;
  /** Which request on this connection it is, counted from 1. */
  readonly number: number;
}

export type Conduct = (request: RawRequest) => void;

/** The documented answer, byte for byte. */
export function accepted(messageId: string): string {
  return answerOf(202, `{"message":"Accepted","messageId":"${messageId}"}`, 'content-type: application/json\r\n');
}

/** A well-formed answer that keeps the connection. */
export function answerOf(status: number, body: string, headers = ''): string {
  return `HTTP/1.1 ${status} Text\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** Takes messages, each answered with its own content as the provider's id. */
export const takeAll: Conduct = ({ socket, content }) => {
  socket.write(accepted(content));
};

/** A receiver without an HTTP library, which may therefore answer with any bytes at any time. */
export class RawReceiver {
  readonly ledger: RawRequest[] = [];
  conduct: Conduct = takeAll;
  /** Called for each connection before anything came over it. */
  greet: (socket: Socket) => void = () => undefined;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly scheme: string,
  ) {}

  static async start(tls: TlsOptions | null = null): Promise<RawReceiver> {
    const server = tls === null ? createServer() : createTlsServer(tls);
    const receiver = new RawReceiver(server, tls === null ? 'http' : 'https');
    server.on(tls === null ? 'connection' : 'secureConnection', (socket: Socket) => receiver.join(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `${this.scheme}://127.0.0.1:${(this.server.address() as AddressInfo).port}/webhook`;
  }

  /** How many connections are open. */
  get connections(): number {
    return this.sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private join(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => undefined);
    this.greet(socket);
    let unread = '';
    let number = 0;
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      unread += chunk;
      for (;;) {
        const headEnd = unread.indexOf('\r\n\r\n');
        if (headEnd === -1) return;
        const head = unread.slice(0, headEnd);
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        // The bodies of these tests are ASCII, so characters are bytes.
        const body = unread.slice(headEnd + 4, headEnd + 4 + length);
        if (body.length < length) return;
        unread = unread.slice(headEnd + 4 + length);
        number += 1;
        const { content } = JSON.parse(body) as { content: string };
        const request: RawRequest = { head, content, socket, number };
        this.ledger.push(request);
        this.conduct(request);
      }
    });
  }
}
