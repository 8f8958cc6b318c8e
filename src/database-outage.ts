import { causesOf, codeOf, isError, membersOf } from './described-error.js';

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** Class 08 (connection), too many connections, shutting down or starting up, and a read-only standby. */
const OUTAGE_SQLSTATE = /^(?:08...|53300|57P0[123]|25006)$/;

// node-postgres and TypeORM give these no code.
const OUTAGE_TEXT =
  /^(?:timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error|Cannot use a pool after calling end|Query read timeout|Driver not Connected|DataSource is not (?:set|initialized)|Connection is not established)/i;

/**
 * Whether this error says that PostgreSQL is out of reach for the moment, so that trying again can help.
 * Looks through causes, TypeORM's `driverError` and every member of an AggregateError.
 */
export function isDatabaseOutage(error: unknown): boolean {
  if (!isError(error)) return false;
  return causesOf(error).some(
    (link) =>
      saysOutage(link) ||
      ('driverError' in link && isDatabaseOutage(link.driverError)) ||
      membersOf(link).some(isDatabaseOutage),
  );
}

function saysOutage(error: Error): boolean {
  const code = codeOf(error);
  if (code !== undefined && (NETWORK_CODES.has(code) || OUTAGE_SQLSTATE.test(code))) return true;
  return OUTAGE_TEXT.test(error.message);
}
