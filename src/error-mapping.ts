import { HttpException } from '@nestjs/common';
import { TOO_LARGE_TEXT } from './body-limits.js';
import { isDatabaseOutage, isExhausted, leftNothingDone } from './database-outage.js';
import { dataReply, hasOwnCode, isTransientRefusal, tookTooLong } from './database-refusal.js';
import { causesOf, codeOf, isError } from './described-error.js';
import { DomainError, type DomainErrorKind } from './domain-error.js';
import { type HttpErrorReply, RequestRefused } from './error-reply.js';

/** The code of the error that stands for a request whose body has not arrived when the service ends. */
export const ENDING = 'REQUEST_INTERRUPTED';

const RETRY_SOON = { 'retry-after': '1' };

const STATUS: Readonly<Record<DomainErrorKind, number>> = {
  malformed: 400,
  invalid: 422,
  too_large: 413,
  not_found: 404,
  conflict: 409,
  unavailable: 503,
  unconfirmed: 503,
};

const FRAMEWORK_REPLIES: Readonly<Record<string, HttpErrorReply>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: refuse(400, 'request.invalid_json', 'The body is not valid JSON'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: refuse(
    400,
    'request.content_length',
    'The body is not as long as its Content-Length header says',
  ),
  FST_ERR_CTP_BODY_TOO_LARGE: refuse(413, 'request.too_large', TOO_LARGE_TEXT),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: refuse(
    415,
    'request.media_type',
    'The body must be JSON, sent with the header Content-Type: application/json',
  ),
  FST_ERR_BAD_URL: refuse(400, 'request.bad_url', 'The path is not valid percent-encoded UTF-8'),
  FST_ERR_MAX_PARAM_LENGTH: refuse(414, 'request.url_too_long', 'A part of the path is too long'),
  ERR_HTTP_REQUEST_TIMEOUT: refuse(
    408,
    'request.timeout',
    'The request did not arrive in time (APP_SERVER_READ_TIMEOUT)',
  ),
  [ENDING]: refuse(
    503,
    'request.interrupted',
    'The service is ending, and the body had not arrived: send the request again',
  ),
  HPE_HEADER_OVERFLOW: refuse(431, 'request.headers_too_large', 'The headers are larger than the limit of 16384 bytes'),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: refuse(413, 'request.too_large', 'The chunk extensions of the body are too large'),
};

/** What a caller is told when something it has no part in went wrong; the log has the rest. */
export function internalReply(correlationId: string): HttpErrorReply {
  return {
    status: 500,
    body: {
      error: `Something went wrong in the service; its log tells what, under the correlation id ${correlationId}`,
      code: 'internal',
      correlation_id: correlationId,
    },
  };
}

/** The reply that an error of a request stands for, or null for a defect, which the caller learns nothing about. */
export function replyFor(error: unknown, method = 'GET'): HttpErrorReply | null {
  if (error instanceof RequestRefused) return error.reply;
  if (error instanceof DomainError) return domainReply(error);
  if (isBrokenOff(error)) return refuse(400, 'request.broken_off', 'The request ended before its body did');
  if (isExhausted(error)) return exhaustedReply();
  if (isDatabaseOutage(error)) return method === 'GET' || leftNothingDone(error) ? databaseReply() : doubtReply();
  if (isTransientRefusal(error)) return tookTooLong(error) ? timeoutReply() : contendedReply();
  if (lacksSchema(error)) return schemaReply();
  // What a reader is refused for its data is a defect: readers bring none.
  const refused = method === 'GET' ? null : dataReply(error);
  if (refused !== null) return refused;
  return frameworkReply(error) ?? (error instanceof HttpException ? httpReply(error) : null);
}

/** Whether the client went away while its body was read: nobody reads this reply. */
function isBrokenOff(error: unknown): boolean {
  return isError(error) && causesOf(error).some((link) => 'statusCode' in link && codeOf(link) === 'ECONNRESET');
}

/** The reply to what Node's HTTP parser refused before there was a request. */
export function socketReply(error: Error): HttpErrorReply {
  return frameworkReply(error) ?? refuse(400, 'request.malformed', 'This is not a well-formed HTTP request');
}

export function refuse(status: number, code: string, error: string, headers?: Record<string, string>): HttpErrorReply {
  return { status, body: { error, code }, ...(headers && { headers }) };
}

// Nest wraps Fastify's errors, keeping them as the cause.
function frameworkReply(error: unknown): HttpErrorReply | undefined {
  if (!isError(error)) return undefined;
  return causesOf(error)
    .map((link) => FRAMEWORK_REPLIES[codeOf(link) ?? ''])
    .find((reply) => reply !== undefined);
}

function domainReply(error: DomainError): HttpErrorReply {
  const status = STATUS[error.kind];
  return {
    status,
    body: { ...error.details, error: error.message, code: error.code },
    // What may have been done is not to be tried again without a look.
    ...(error.kind === 'unavailable' && { headers: RETRY_SOON }),
  };
}

function databaseReply(): HttpErrorReply {
  const error =
    'PostgreSQL is out of reach, so nothing was changed: try again shortly. If it lasts, check APP_DB_URL and the server';
  return refuse(503, 'database.unavailable', error, RETRY_SOON);
}

function exhaustedReply(): HttpErrorReply {
  const error =
    'PostgreSQL has no disk space, memory or connections left, so nothing was changed: try again shortly. If it lasts, ' +
    'look at the server';
  return refuse(503, 'database.exhausted', error, RETRY_SOON);
}

function timeoutReply(): HttpErrorReply {
  const error =
    'PostgreSQL did not finish this in time, so nothing was changed: try again shortly. If it lasts, look for a ' +
    'transaction that holds a lock, or for a server under load';
  return refuse(503, 'database.timeout', error, RETRY_SOON);
}

function contendedReply(): HttpErrorReply {
  const error = 'Another transaction changed the same rows at this moment, so nothing was changed: try again';
  return refuse(503, 'database.contended', error, RETRY_SOON);
}

/** The answer to a statement that changes something was lost. Nobody is told to try again without a look. */
function doubtReply(): HttpErrorReply {
  const error =
    'PostgreSQL is out of reach and did not confirm the change, which may or may not have been made: look before you try ' +
    'again. POST /messages with an Idempotency-Key can be repeated as it is';
  return refuse(503, 'database.unavailable', error);
}

/** A table or a column that this version needs is not there. */
function lacksSchema(error: unknown): boolean {
  return hasOwnCode(error, /^42(?:P01|703)$/);
}

function schemaReply(): HttpErrorReply {
  const error = 'The database schema is missing or older than this version of the service: run "npm run migrate"';
  return refuse(503, 'database.schema', error, RETRY_SOON);
}

function httpReply(error: HttpException): HttpErrorReply | null {
  const status = error.getStatus();
  return status < 500 ? refuse(status, `http.${status}`, error.message) : null;
}
