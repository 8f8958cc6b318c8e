import type { FastifyInstance } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const SWEEP_EVERY_MS = 50;

/**
 * Once the application closes, every reply asks its client to leave, and a connection is closed as soon as no request is
 * under way on it: also one on which nothing, or half a head, was sent, which Node would wait for as long as its client likes.
 */
export function drainOnClose(fastify: FastifyInstance): void {
  const connections = new Connections();
  fastify.server.on('connection', (socket: Socket) => connections.add(socket));
  fastify.server.on('request', (request: IncomingMessage, response: ServerResponse) =>
    connections.begin(request.socket, response),
  );
  let closing = false;
  fastify.addHook('preClose', (done) => {
    closing = true;
    const sweep = setInterval(() => connections.closeIdle(), SWEEP_EVERY_MS);
    fastify.server.once('close', () => clearInterval(sweep));
    done();
  });
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close');
    done(null, payload);
  });
}

/** The open connections of a server. With TLS, a request's socket is not the one that was accepted, but has the same peer. */
class Connections {
  private readonly sockets = new Map<Socket, string>();
  private readonly requests = new Map<string, number>();

  add(socket: Socket): void {
    this.sockets.set(socket, peerOf(socket));
    socket.once('close', () => this.sockets.delete(socket));
  }

  begin(socket: Socket, response: ServerResponse): void {
    const peer = peerOf(socket);
    this.requests.set(peer, (this.requests.get(peer) ?? 0) + 1);
    response.once('close', () => {
      const left = (this.requests.get(peer) ?? 0) - 1;
      if (left > 0) this.requests.set(peer, left);
      else this.requests.delete(peer);
    });
  }

  closeIdle(): void {
    for (const [socket, peer] of this.sockets) if (!this.requests.has(peer)) socket.destroy();
  }
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
