import type { FastifyInstance } from 'fastify';
import { MAX_CALLER_UNTAKEN_REPLIES_BYTES, MAX_UNTAKEN_REPLIES_BYTES } from './body-limits.js';
import { ByteBudget } from './byte-budget.js';
import { callerKeyOf } from './caller.js';
import { sendErrorReply } from './domain-error.filter.js';
import { refuse } from './error-mapping.js';
import { onReplyEnd } from './reply-end.js';

/** What a refusal has, or the answer to a change; such replies are counted and never replaced. */
const SMALL_REPLY_BYTES = 4 * 1024;

const NO_ROOM = refuse(
  503,
  'request.replies_untaken',
  'Clients have asked for more than they take: read the replies that are under way, ask for fewer at once, and try again',
  { 'retry-after': '1' },
);

/**
 * Bounds what waits in memory until clients take it, of all callers and of each. Beyond that a GET is refused (503), before its
 * work is done or, where many are under way, when its reply is there. What a caller changes is always answered: the sizes of
 * those replies follow from the bodies. Replies that take more than `APP_SERVER_WRITE_TIMEOUT` are broken off elsewhere.
 */
export function boundUntakenReplies(fastify: FastifyInstance): void {
  const budget = new ByteBudget(MAX_UNTAKEN_REPLIES_BYTES, MAX_CALLER_UNTAKEN_REPLIES_BYTES);
  fastify.addHook('onRequest', (request, reply, done) => {
    if (request.method !== 'GET' || request.routeOptions.config.unlimited === true) done();
    else if (budget.hasRoom(callerKeyOf(request), 1)) done();
    else sendErrorReply(reply, NO_ROOM);
  });
  fastify.addHook('onSend', (request, reply, payload, done) => {
    // Files come as streams, which wait for their clients by themselves.
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) {
      done(null, payload);
      return;
    }
    const caller = callerKeyOf(request);
    let sent: string | Buffer = payload;
    let bytes = Buffer.byteLength(payload);
    if (request.method === 'GET' && bytes > SMALL_REPLY_BYTES && !budget.hasRoom(caller, bytes)) {
      sent = JSON.stringify(NO_ROOM.body);
      bytes = Buffer.byteLength(sent);
      reply.code(NO_ROOM.status).headers({ ...NO_ROOM.headers, 'content-type': 'application/json; charset=utf-8' });
      for (const name of ['link', 'content-length']) reply.removeHeader(name);
    }
    budget.take(caller, bytes);
    onReplyEnd(reply.raw, request.raw.socket, () => budget.giveBack(caller, bytes));
    done(null, sent);
  });
}
