import { causesOf, codeOf, isError } from './described-error.js';
import type { HttpErrorReply } from './error-reply.js';

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
  const refusal = linkWith(error, DATA_SQLSTATE);
  if (refusal === null) return null;
  const { sqlstate, column, table, constraint } = refusal;
  return {
    status: 422,
    body: {
      error: `${reasonOf(refusal)}. Nothing was changed`,
      code: 'database.refused',
      sqlstate,
      ...(table !== null && { table }),
      ...(column !== null && { column }),
      ...(constraint !== null && { constraint }),
    },
  };
}

/** Whether PostgreSQL ended the statement without having done anything of it, and may not do so next time. */
export function isTransientRefusal(error: unknown): boolean {
  return linkWith(error, TRANSIENT_SQLSTATE) !== null;
}

/** Whether the statement ended because it took too long. */
export function tookTooLong(error: unknown): boolean {
  return linkWith(error, /^57014$/) !== null;
}

interface Refusal {
  readonly sqlstate: string;
  readonly message: string;
  readonly table: string | null;
  readonly column: string | null;
  readonly constraint: string | null;
}

function linkWith(error: unknown, sqlstate: RegExp): Refusal | null {
  if (!isError(error)) return null;
  // TypeORM's error has the fields of the driver's.
  const link = causesOf(error).find((candidate) => sqlstate.test(codeOf(candidate) ?? ''));
  if (link === undefined) return null;
  return {
    sqlstate: codeOf(link) ?? '',
    message: link.message,
    table: textOf(link, 'table'),
    column: textOf(link, 'column'),
    constraint: textOf(link, 'constraint'),
  };
}

function textOf(link: object, field: string): string | null {
  const value: unknown = Object.getOwnPropertyDescriptor(link, field)?.value;
  return typeof value === 'string' ? value : null;
}

function reasonOf({ sqlstate, message, table, column, constraint }: Refusal): string {
  const of = table === null ? '' : ` of the table ${table}`;
  if (sqlstate === '23502' && column !== null) {
    return `The column ${column}${of} must have a value, and this service does not fill it: give the column a default`;
  }
  if (constraint !== null) return `The database refused the change: it breaks the constraint ${constraint}${of}`;
  if (sqlstate === '22P05') {
    return `The database cannot store ${characterIn(message)}: its encoding is not UTF8, which this service needs`;
  }
  // The text of a trigger may hold the row.
  if (sqlstate === 'P0001') return 'A trigger or function of the database refused the change (SQLSTATE P0001)';
  return `The database refused a value (SQLSTATE ${sqlstate})`;
}

function characterIn(message: string): string {
  const hex = UNTRANSLATABLE.exec(message)?.[1]?.replaceAll(/0x|\s/g, '');
  const character = hex === undefined ? undefined : Buffer.from(hex, 'hex').toString('utf8');
  return character === undefined ? 'a character of the text' : `the character ${character}`;
}
