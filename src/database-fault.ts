import { isDatabaseOutage } from './database-outage.js';
import { causesOf, codeOf, isError } from './described-error.js';
import { fieldOf, isFromPostgres, isOfFunction, isRaise, shownRefusal } from './postgres-error.js';

/**
 * What a failed statement says, and so what can help:
 * - `outage`: PostgreSQL cannot work at this moment. The same statement is tried again later.
 * - `slow`: the statement took too long. Fewer rows are tried.
 * - `locked`: another transaction holds a lock for longer than this statement waits. The other rows are written.
 * - `denied`: a right is missing or the table has another shape, for every row. Somebody must change the database.
 * - `refused`: a constraint, a trigger or the data of a row. The other rows are written.
 */
export type DatabaseFault = 'outage' | 'slow' | 'locked' | 'denied' | 'refused';

/** What may be shown of a refusal: names of the database, no value of a row. */
export interface Refusal {
  /** null when there was no error: the database kept the row as it was. */
  readonly sqlstate: string | null;
  readonly text: string;
}

/** Connections, resources, serialization, the operator's hand, the system below; a password that was changed; no database. */
const OUTAGE = /^(?:08|53|40|57P|58|28|3D|25006|26000)/;
/** `statement_timeout`, a cancelled statement, `transaction_timeout`. */
const SLOW = /^(?:57014|25P04)$/;
const LOCKED = '55P03';
/** Class 42: rights, names and types. Class 0A: rules and other things that no row can help. */
const DENIED = /^(?:42|0A)/;
const OWN_LIMIT = /^Query read timeout/;
/** What PostgreSQL says of a prepared statement when a column changed its type: it is prepared again on a new connection. */
const STALE_PLAN_ROUTINE = 'RevalidateCachedQuery';
const ROW_POLICY_ROUTINE = 'ExecWithCheckOptions';
/** The connection ends because the server does, also in the middle of a function. */
const ENDING = /^57P/;
const ENDING_ROUTINE = 'ProcessInterrupts';

/** Classifies the error of a statement. Pure. */
export function databaseFaultOf(error: unknown): DatabaseFault {
  const link = postgresErrorOf(error);
  if (link === null) {
    if (isError(error) && causesOf(error).some(({ message }) => OWN_LIMIT.test(message))) return 'slow';
    return isDatabaseOutage(error) ? 'outage' : 'refused';
  }
  const code = codeOf(link) ?? '';
  if (isRaise(link)) return 'refused';
  if (SLOW.test(code)) return 'slow';
  if (code === LOCKED) return 'locked';
  if (isOfFunction(link))
    return ENDING.test(code) && fieldOf(link, 'routine') === ENDING_ROUTINE ? 'outage' : 'refused';
  if (OUTAGE.test(code) || fieldOf(link, 'routine') === STALE_PLAN_ROUTINE) return 'outage';
  // A row policy may let other rows pass.
  return DENIED.test(code) && fieldOf(link, 'routine') !== ROW_POLICY_ROUTINE ? 'denied' : 'refused';
}

/** Describes a refusal by SQLSTATE, names and, where it can hold nothing of a row, PostgreSQL's text. */
export function refusalOf(error: unknown): Refusal {
  const link = postgresErrorOf(error);
  if (link === null) return { sqlstate: null, text: isError(error) ? error.name : 'an unknown error' };
  return { sqlstate: codeOf(link) ?? null, text: shownRefusal(link) };
}

/** The link of the chain that PostgreSQL sent; null when none is. */
export function postgresErrorOf(error: unknown): Error | null {
  if (!isError(error)) return null;
  const links = causesOf(error).flatMap((link) =>
    'driverError' in link && isError(link.driverError) ? [link, link.driverError] : [link],
  );
  return links.find(isFromPostgres) ?? null;
}
