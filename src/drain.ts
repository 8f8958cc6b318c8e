import type { FastifyInstance } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { onReplyEnd } from './reply-end.js';

const SWEEP_EVERY_MS = 50;
/** A reply of which the client takes nothing for so long is given up. */
const STALLED_MS = 500;

/**
 * Once the application closes, every reply asks its client to leave, and a connection is closed as soon as no request is
 * under way on it: also one on which nothing, or half a head, was sent, which Node would wait for as long as its client likes.
 * So is one whose client takes nothing of its reply.
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
    const sweep = setInterval(() => connections.sweep(performance.now()), SWEEP_EVERY_MS);
    fastify.server.once('close', () => clearInterval(sweep));
    done();
  });
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close');
    done(null, payload);
  });
}

/** What is under way on a connection. */
interface Requests {
  count: number;
  readonly socket: Socket;
  /** What waited to be taken by the client when that last changed, and when that was. */
  untaken: { readonly bytes: number; readonly since: number } | null;
}

/** The open connections of a server. With TLS, a request's socket is not the one that was accepted, but has the same peer. */
class Connections {
  private readonly sockets = new Map<Socket, string>();
  private readonly requests = new Map<string, Requests>();

  add(socket: Socket): void {
    this.sockets.set(socket, peerOf(socket));
    socket.once('close', () => this.sockets.delete(socket));
  }

  begin(socket: Socket, response: ServerResponse): void {
    const peer = peerOf(socket);
    const requests = this.requests.get(peer) ?? { count: 0, socket, untaken: null };
    this.requests.set(peer, requests);
    requests.count += 1;
    onReplyEnd(response, socket, () => {
      requests.count -= 1;
      if (requests.count === 0) this.requests.delete(peer);
    });
  }

  /** Closes connections without a request, and those whose client does not take what it asked for. */
  sweep(now: number): void {
    for (const [socket, peer] of this.sockets) {
      const requests = this.requests.get(peer);
      if (requests === undefined || isStalled(requests, now)) socket.destroy();
    }
  }
}

function isStalled(requests: Requests, now: number): boolean {
  const bytes = requests.socket.writableLength;
  if (bytes === 0) requests.untaken = null;
  else if (requests.untaken?.bytes !== bytes) requests.untaken = { bytes, since: now };
  return requests.untaken !== null && now - requests.untaken.since >= STALLED_MS;
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
