import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const pendingOf = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls `ended` once, when the reply was handed over, was broken off, or its connection has ended. The event `close` of the
 * reply is not enough: a reply that waits behind another one of its connection (pipelining) never has it when that connection ends.
 */
export function onReplyEnd(reply: ServerResponse, socket: Socket, ended: () => void): void {
  // Its client left before the answer was there: neither event comes any more.
  if (reply.destroyed || socket.destroyed) {
    ended();
    return;
  }
  const pending = pendingOf.get(socket) ?? watch(socket);
  const once = () => {
    if (pending.delete(once)) ended();
  };
  pending.add(once);
  reply.once('close', once);
}

// One listener for all the replies of a connection.
function watch(socket: Socket): Set<() => void> {
  const pending = new Set<() => void>();
  pendingOf.set(socket, pending);
  socket.once('close', () => {
    for (const end of pending) end();
  });
  return pending;
}
