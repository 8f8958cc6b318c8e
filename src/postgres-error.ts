import { causesOf, codeOf, isError, isRaise } from './described-error.js';

/** Function and line where PostgreSQL was. `COPY messages, line 7` names no function. */
const IN_FUNCTION = /\b(?:PL\/\S+|SQL) function\b/;
/**
 * What PostgreSQL itself may say at any place, inside a function too: a time limit, a lock, a lost race, resources, the operator,
 * the system below.
 */
const OF_SERVER = /^(?:40|53|57|58|55P03$|25P0[34]$)/;

/** The fields of a PostgreSQL error that name things. */
export type ErrorField = 'routine' | 'schema' | 'table' | 'column' | 'constraint' | 'where';

/** The link of the chain that has a SQLSTATE and a severity, as every error has that PostgreSQL sent; null when none has. */
export function postgresErrorOf(error: unknown): Error | null {
  if (!isError(error)) return null;
  const links = causesOf(error).flatMap((link) =>
    'driverError' in link && isError(link.driverError) ? [link, link.driverError] : [link],
  );
  return links.find((link) => 'severity' in link && /^[0-9A-Z]{5}$/.test(codeOf(link) ?? '')) ?? null;
}

/**
 * Whether a function of the database raised this error, a trigger's for example: its SQLSTATE then says nothing of PostgreSQL.
 * `link` is one error, not its causes.
 */
export function isRaisedByFunction(link: Error): boolean {
  if (!('severity' in link)) return false;
  if (isRaise(link)) return true;
  return IN_FUNCTION.test(fieldOf(link, 'where') ?? '') && !OF_SERVER.test(codeOf(link) ?? '');
}

/** The name of the function that was at work, as far as PostgreSQL tells. */
export function functionOf(link: Error): string | null {
  return /(?:PL\/\S+|SQL) function "?([^\s("]{1,63})/.exec(fieldOf(link, 'where') ?? '')?.[1] ?? null;
}

/** A field of an error that PostgreSQL sent; null when it has none. */
export function fieldOf(link: Error, field: ErrorField): string | null {
  const value: unknown = Object.getOwnPropertyDescriptor(link, field)?.value;
  return typeof value === 'string' && value !== '' ? value : null;
}
