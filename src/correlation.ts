import { randomUUID } from 'node:crypto';

export const CORRELATION_HEADER = 'x-correlation-id';

const ACCEPTABLE = /^[\x20-\x7e]{1,128}$/;

/**
 * The id under which everything about one request is logged: the caller's `X-Correlation-ID` when it is
 * 1 to 128 printable ASCII characters, else a fresh UUID.
 */
export function correlationIdOf(headers: NodeJS.Dict<string | string[]>): string {
  const given = headers[CORRELATION_HEADER];
  return typeof given === 'string' && ACCEPTABLE.test(given) ? given : randomUUID();
}
