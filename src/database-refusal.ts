import { databaseFaultOf, postgresErrorOf } from './database-fault.js';
import { codeOf } from './described-error.js';
import type { HttpErrorReply } from './error-reply.js';
import { functionOf, isRaisedByFunction, namesOf } from './postgres-error.js';

/** Integrity and data errors, a view's check option, and what a trigger raises: the same call would fare the same. */
const DATA_SQLSTATE = /^(?:22...|23...|44000|P0001)$/;
/** A statement that was cancelled or timed out, a lock that was not to be had, a lost race: another try may fare better. */
const TRANSIENT_SQLSTATE = /^(?:57014|55P03|40001|40P01)$/;

const UNTRANSLATABLE =
  /^character with byte sequence ((?:0x[0-9a-f]{2} ?){1,8}) ?in encoding "[^"]{1,40}" has no equivalent/;

/**
 * The reply to a change that PostgreSQL refused for what is in it, or for what the company's own columns, constraints and
 * triggers want; null: the error is another one. It names column and constraint, and nothing of the row.
 */
export function dataReply(error: unknown): HttpErrorReply | null {
  const link = postgresErrorOf(error);
  if (link === null || !isRefusedChange(link)) return null;
  return {
    status: 422,
    body: {
      error: `${reasonOf(link)}. Nothing was changed`,
      code: 'database.refused',
      sqlstate: codeOf(link),
      ...namesIn(link),
    },
  };
}

/** Whether PostgreSQL ended the statement without having done anything of it, and may not do so next time. */
export function isTransientRefusal(error: unknown): boolean {
  return hasOwnCode(error, TRANSIENT_SQLSTATE);
}

/** Whether the statement ended because it took too long. */
export function tookTooLong(error: unknown): boolean {
  return hasOwnCode(error, /^57014$/);
}

/** Whether PostgreSQL itself says this SQLSTATE, and not a function of the database. */
export function hasOwnCode(error: unknown, sqlstate: RegExp): boolean {
  const link = postgresErrorOf(error);
  return link !== null && sqlstate.test(codeOf(link) ?? '') && !isRaisedByFunction(link);
}

/** Besides data and constraints: what a function raised, and a row policy (class 42, and yet the matter of this row). */
function isRefusedChange(link: Error): boolean {
  const code = codeOf(link) ?? '';
  if (isRaisedByFunction(link) || DATA_SQLSTATE.test(code)) return true;
  return code === '42501' && databaseFaultOf(link) === 'refused';
}

function namesIn(link: Error): Readonly<Partial<Record<'table' | 'column' | 'constraint', string>>> {
  return Object.fromEntries(namesOf(link).map(({ field, name }) => [field, name]));
}

function reasonOf(link: Error): string {
  const sqlstate = codeOf(link) ?? '';
  const { table, column, constraint } = namesIn(link);
  const of = table === undefined ? '' : ` of the table ${table}`;
  if (isRaisedByFunction(link)) {
    // The text of a trigger may hold the row.
    const name = functionOf(link);
    const source = name === null ? 'A trigger or function' : `A trigger or function (${name})`;
    return `${source} of the database refused the change (SQLSTATE ${sqlstate})`;
  }
  if (sqlstate === '23502' && column !== undefined) {
    return `The column ${column}${of} must have a value, and this service does not fill it: give the column a default`;
  }
  if (constraint !== undefined) return `The database refused the change: it breaks the constraint ${constraint}${of}`;
  if (sqlstate === '22P05') {
    return `The database cannot store ${characterIn(link.message)}: its encoding is not UTF8, which this service needs`;
  }
  if (sqlstate === 'P0001') return 'A trigger or function of the database refused the change (SQLSTATE P0001)';
  if (sqlstate === '42501') return 'A row-level security policy of the database refused the change (SQLSTATE 42501)';
  return `The database refused a value (SQLSTATE ${sqlstate})`;
}

function characterIn(message: string): string {
  const hex = UNTRANSLATABLE.exec(message)?.[1]?.replaceAll(/0x|\s/g, '');
  const character = hex === undefined ? undefined : Buffer.from(hex, 'hex').toString('utf8');
  return character === undefined ? 'a character of the text' : `the character ${character}`;
}
