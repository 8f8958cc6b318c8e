import { type ArgumentsHost, Catch, type ExceptionFilter, Logger, NotFoundException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { internalReply, refuse, replyFor } from './error-mapping.js';
import type { HttpErrorReply } from './error-reply.js';
import type { KnownRoutes } from './known-routes.js';

const MAX_PATH_CHARS = 200;

/** Turns everything that a request can end in, except success, into the one shape of error replies. */
@Catch()
export class DomainErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('Http');

  constructor(private readonly routes: KnownRoutes) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const answer = this.answerTo(error, request);
    if (answer.status >= 500) this.log(error, answer, request);
    if (reply.sent || reply.raw.headersSent) {
      reply.raw.end();
      return;
    }
    sendErrorReply(reply, answer);
  }

  private answerTo(error: unknown, request: FastifyRequest): HttpErrorReply {
    if (error instanceof NotFoundException && request.is404) return this.noSuchRoute(request);
    return replyFor(error, request.method) ?? internalReply(request.id);
  }

  private noSuchRoute(request: FastifyRequest): HttpErrorReply {
    const [path = ''] = request.url.split('?', 1);
    const allowed = this.routes.allowed(path);
    const shown = `${request.method} ${path.slice(0, MAX_PATH_CHARS)}`;
    if (allowed.length === 0) {
      return refuse(404, 'request.not_found', `There is no ${shown} here; /swagger/index.html lists what there is`);
    }
    const allow = allowed.join(', ');
    return refuse(405, 'request.method_not_allowed', `There is no ${shown} here; this path takes ${allow}`, { allow });
  }

  private log(error: unknown, answer: HttpErrorReply, request: FastifyRequest): void {
    const line = { err: error, 'trace.id': request.id };
    const { method, routeOptions } = request;
    const operation = `${method} ${routeOptions.url ?? '(unknown path)'}`;
    if (answer.status === 503) this.logger.warn(line, `${operation} was answered 503 (${answer.body.code})`);
    else this.logger.error(line, `${operation} failed`);
  }
}

export function sendErrorReply(reply: FastifyReply, { status, headers, body }: HttpErrorReply): void {
  void reply
    .code(status)
    .headers({ ...headers, 'content-type': 'application/json; charset=utf-8' })
    .send(body);
}
