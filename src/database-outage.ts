import { causesOf, codeOf, isError, membersOf } from './described-error.js';
import { isRaisedByFunction } from './postgres-error.js';

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

/** Class 08 (connection), class 53 (resources), shutting down or starting up, and a read-only standby. */
const OUTAGE_SQLSTATE = /^(?:08...|53...|57P0[123]|25006)$/;

/** Disk, memory or connections used up, starting up, and a read-only standby: what is said instead of a statement's result. */
const REFUSAL_SQLSTATE = /^(?:53...|57P03|25006)$/;

const EXHAUSTED_SQLSTATE = /^53...$/;

// node-postgres and TypeORM give no code to what they say of a statement that was sent to nobody, nor to the two others.
const UNSENT =
  'timeout exceeded when trying to connect|Connection terminated due to connection timeout|Client has encountered a connection error|Cannot use a pool after calling end|Driver not Connected|DataSource is not (?:set|initialized)|Connection is not established';
const UNSENT_TEXT = new RegExp(`^(?:${UNSENT})`, 'i');
const OUTAGE_TEXT = new RegExp(`^(?:${UNSENT}|Connection terminated|Query read timeout)`, 'i');

const undone = new WeakSet<Error>();
const unconnected = new WeakSet<Error>();

/**
 * Whether this error says that PostgreSQL is out of reach for the moment, so that trying again can help.
 * A connection that could not be made is one, whatever the reason was called; what a function of the database raised is none,
 * whatever its SQLSTATE, nor is what broke while a request was read. Looks through causes, TypeORM's `driverError` and every
 * member of an AggregateError.
 */
export function isDatabaseOutage(error: unknown): boolean {
  return holds(error, (link) => unconnected.has(link) || saysOutage(link));
}

/**
 * Whether what failed with this outage has certainly changed nothing: there was no connection to send it over, it was refused,
 * or whoever asked for it has noted so. Otherwise it was sent and its answer was lost, and nobody knows.
 */
export function leftNothingDone(outage: unknown): boolean {
  return holds(
    outage,
    (error) => undone.has(error) || REFUSAL_SQLSTATE.test(codeOf(error) ?? '') || UNSENT_TEXT.test(error.message),
  );
}

/** Whether PostgreSQL answers, and says that its disk, memory or connections are used up. */
export function isExhausted(error: unknown): boolean {
  return holds(error, (link) => EXHAUSTED_SQLSTATE.test(codeOf(link) ?? ''));
}

/** Remembers that no connection could be made, whatever the error calls it: an outage in which nothing was done. */
export function noteUnconnected(error: unknown): void {
  if (isError(error)) unconnected.add(error);
  noteNothingDone(error);
}

/**
 * Remembers that nothing was done by what failed with this error, which the error does not tell: a connection is reset in the
 * same words while it is made and after a commit was sent.
 */
export function noteNothingDone(error: unknown): void {
  if (isError(error)) undone.add(error);
}

function holds(error: unknown, test: (link: Error) => boolean): boolean {
  if (!isError(error)) return false;
  return causesOf(error).some(
    (link) =>
      (test(link) && !isRaisedByFunction(link) && !isOfRequest(link)) ||
      ('driverError' in link && holds(link.driverError, test)) ||
      membersOf(link).some((member) => holds(member, test)),
  );
}

/** Fastify gives a status to what happens while it reads a body: a client that goes away is an ECONNRESET too. */
function isOfRequest(link: Error): boolean {
  return 'statusCode' in link;
}

function saysOutage(error: Error): boolean {
  const code = codeOf(error);
  if (code !== undefined && (NETWORK_CODES.has(code) || OUTAGE_SQLSTATE.test(code))) return true;
  return OUTAGE_TEXT.test(error.message);
}
