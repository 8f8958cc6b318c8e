import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  MAX_BODIES_BYTES,
  MAX_BODY_BYTES,
  MAX_CALLER_BODIES_BYTES,
  MAX_CALLER_SMALL_BODIES_BYTES,
  SMALL_BODIES_RESERVE_BYTES,
} from './body-limits.js';
import { hasBody } from './body-arrival.js';
import { ByteBudget } from './byte-budget.js';
import { callerKeyOf } from './caller.js';
import { refuse } from './error-mapping.js';
import { RequestRefused } from './error-reply.js';
import { onReplyEnd } from './reply-end.js';

/** Of a body that does not say how long it is. */
const FIRST_BYTES = 16 * 1024;
/** A request whose client has gone is answered within this time, or its body is taken to be forgotten. */
const FORGOTTEN_AFTER_MS = 60_000;

const NO_ROOM = refuse(
  503,
  'request.too_many_bodies',
  'The service has as many request bodies in memory as it takes at once: try again shortly, with fewer or smaller bodies at once',
  { 'retry-after': '1' },
);

/**
 * Reads bodies into memory, all of them together within one budget. A body takes its place when it is announced, or as it comes
 * when it does not say how long it is, and keeps it until its request is answered. What finds no place is refused (503), and
 * the rest of it is dropped. Pieces are copied as they come: a million pieces of one byte take a million bytes.
 */
export class BodyReader {
  private readonly budget = new ByteBudget(MAX_BODIES_BYTES, MAX_CALLER_BODIES_BYTES);
  private readonly places = new WeakMap<FastifyRequest, BodyPlace>();

  constructor(fastify: FastifyInstance) {
    fastify.addHook('preParsing', (request, reply, _payload, done) => {
      if (hasBody(request.headers)) this.givePlace(request, reply);
      done();
    });
    fastify.addHook('onSend', (request, _reply, payload, done) => {
      this.places.get(request)?.leave();
      done(null, payload);
    });
  }

  /** @throws RequestRefused (503) when there is no room, Fastify's error when it is longer than the route takes. */
  async read(request: FastifyRequest, payload: Readable): Promise<Buffer> {
    const maxBytes = request.routeOptions.bodyLimit;
    const place = this.places.get(request);
    if (place === undefined) return Buffer.alloc(0);
    const announced = announcedBytes(request.headers);
    if ((announced ?? 0) > maxBytes) throw tooLarge();
    place.grow(announced ?? Math.min(FIRST_BYTES, maxBytes));
    return await collected(payload, place, maxBytes);
  }

  private givePlace(request: FastifyRequest, reply: FastifyReply): void {
    const place = new BodyPlace(this.budget, callerKeyOf(request));
    this.places.set(request, place);
    // What waits for this holds the request, and with it the body, no longer than the reply takes.
    const { raw } = request;
    onReplyEnd(reply.raw, raw.socket, () => {
      // A body that has come is being worked on, whether or not its client still waits.
      if (raw.complete) place.leaveWithin(FORGOTTEN_AFTER_MS);
      else place.leave();
    });
  }
}

/** The memory of one body. */
class BodyPlace {
  private bytes = 0;
  private left = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly budget: ByteBudget,
    private readonly caller: string,
  ) {}

  /** @throws RequestRefused when the budget has no room for a body of `bytes`. */
  grow(bytes: number): void {
    if (this.left) return;
    const more = bytes - this.bytes;
    const isSmall = bytes <= MAX_BODY_BYTES;
    const reserve = isSmall ? 0 : SMALL_BODIES_RESERVE_BYTES;
    if (!this.budget.hasRoom(this.caller, more, reserve, isSmall ? MAX_CALLER_SMALL_BODIES_BYTES : 0)) {
      this.leave();
      throw new RequestRefused(NO_ROOM);
    }
    this.budget.take(this.caller, more);
    this.bytes = bytes;
  }

  get capacity(): number {
    return this.bytes;
  }

  leaveWithin(ms: number): void {
    if (!this.left) this.timer = setTimeout(() => this.leave(), ms).unref();
  }

  leave(): void {
    clearTimeout(this.timer);
    if (this.left) return;
    this.left = true;
    this.budget.giveBack(this.caller, this.bytes);
  }
}

/** Resolves with the body. Stops taking pieces as soon as it is refused; the caller drops the rest. */
function collected(payload: Readable, place: BodyPlace, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let body = Buffer.allocUnsafeSlow(place.capacity);
    let bytes = 0;
    const onData = (piece: Buffer) => {
      try {
        if (bytes + piece.length > maxBytes) throw tooLarge();
        if (bytes + piece.length > body.length) {
          place.grow(Math.min(maxBytes, Math.max(2 * body.length, bytes + piece.length)));
          const larger = Buffer.allocUnsafeSlow(place.capacity);
          body.copy(larger, 0, 0, bytes);
          body = larger;
        }
        bytes += piece.copy(body, bytes);
      } catch (error) {
        end();
        reject(error);
      }
    };
    const onEnd = () => {
      end();
      resolve(body.subarray(0, bytes));
    };
    const onError = (error: Error) => {
      end();
      // The mark of an error that is the client's, as Fastify sets it.
      reject(Object.assign(error, { statusCode: 400 }));
    };
    const end = () => payload.off('data', onData).off('end', onEnd).off('error', onError);
    payload.on('data', onData).on('end', onEnd).on('error', onError).resume();
  });
}

function announcedBytes(headers: IncomingHttpHeaders): number | null {
  return headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : null;
}

function tooLarge(): Error {
  return Object.assign(new Error('too large'), { code: 'FST_ERR_CTP_BODY_TOO_LARGE' });
}
