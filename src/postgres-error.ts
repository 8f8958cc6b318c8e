/**
 * What an error that PostgreSQL sent says, and what of it may be shown. A company's triggers and functions may raise any
 * SQLSTATE, and their statements fare like anybody's: an error that a function met speaks of that function and of the row. A
 * company's triggers, functions, constraints and casts can put a phone number or a word of a content into texts, and into
 * the names of tables that a function makes up: texts are shown by an allow-list, and everything else by its SQLSTATE and names.
 */

/** Connections, resources, lost races, locks and time limits, the server's own trouble, login: no row is part of the text. */
const TEXT_OF_SERVER = /^(?:08|53|40|57|58|28|3D000|25006|25P0|55P03|55006)/;
/** Rights, and what a migration that ran before left: no row is part of these without a function. */
const TEXT_OF_CATALOG = /^(?:42501|42P07|42701|42710|42P10)$/;
/** A tuple's place, which PostgreSQL adds to errors of locks: it has no words of anybody. */
const PLACE_OF_TUPLE = /^[^"]*\(\d+,\d+\)[^"]*"[^"]*"$/;
/** The names of languages are not translated as the words around them are. */
const FUNCTION_CONTEXT = /PL\/|\bSQL\b|\bplv8\b/i;
/** A line of a context that holds a row's text. */
const COPIED_LINE = /^COPY .*$/gm;
/** RAISE and ASSERT of PL/pgSQL, `plpy.error` and its kind, and what another server said through dblink or a foreign table. */
const RAISE_ROUTINES: ReadonlySet<string> = new Set([
  'exec_stmt_raise',
  'exec_stmt_assert',
  'PLy_output',
  'PLy_elog_impl',
  'dblink_res_error',
  'pgfdw_report_error',
]);
/** What PostgreSQL itself says within a function too: a limit, a lock, a lost race, resources, the operator, the system below. */
const OF_SERVER = /^(?:40|53|57|58|55P03$|25P0[34]$)/;
const FUNCTION_NAME = /^PL\/\w+[- ]\w+ "?([^\s("]{1,63})/m;
/** Digits that may be a phone number: names of partitions and of tables that a trigger makes. */
const DIGITS = /\d(?:[ _.-]?\d){5,}/g;
const LONGEST_TEXT = 200;

/** The fields of an error that PostgreSQL may fill. */
export type ErrorField =
  'code' | 'routine' | 'table' | 'column' | 'constraint' | 'where' | 'internalQuery' | 'position';

/** Whether the error was sent by PostgreSQL, rather than made by a driver. */
export function isFromPostgres(error: object): boolean {
  return 'severity' in error && /^[0-9A-Z]{5}$/.test(fieldOf(error, 'code') ?? '');
}

/** A field that PostgreSQL filled, or null. TypeORM copies them to its own error. */
export function fieldOf(error: object, field: ErrorField): string | null {
  const value: unknown = Object.getOwnPropertyDescriptor(error, field)?.value;
  return typeof value === 'string' && value !== '' ? value : null;
}

/** Whether a function raised the error itself or passed on another server's: its SQLSTATE says nothing of this server. */
export function isRaise(error: object): boolean {
  if (!isFromPostgres(error)) return false;
  return RAISE_ROUTINES.has(fieldOf(error, 'routine') ?? '') || fieldOf(error, 'code')?.startsWith('P0') === true;
}

/** Whether a trigger, a function or a DO block met the error, RAISE and ASSERT included, or a statement that one of them made. */
export function isOfFunction(error: object): boolean {
  if (!isFromPostgres(error)) return false;
  if (isRaise(error) || fieldOf(error, 'internalQuery') !== null) return true;
  return FUNCTION_CONTEXT.test((fieldOf(error, 'where') ?? '').replaceAll(COPIED_LINE, ''));
}

/** Whether a function of the database is the cause, and not what PostgreSQL itself says in the middle of one. */
export function isRaisedByFunction(error: object): boolean {
  return isRaise(error) || (isOfFunction(error) && !OF_SERVER.test(fieldOf(error, 'code') ?? ''));
}

/** The name of the function that was at work, as far as PostgreSQL tells. */
export function functionOf(error: object): string | null {
  const name = FUNCTION_NAME.exec(fieldOf(error, 'where') ?? '')?.[1];
  return name === undefined ? null : masked(name);
}

/** Table, column and constraint that PostgreSQL names, without what may be a phone number. */
export function namesOf(error: object): { readonly field: string; readonly name: string }[] {
  return (['table', 'column', 'constraint'] as const).flatMap((field) => {
    const value = fieldOf(error, field);
    return value === null ? [] : [{ field, name: masked(value) }];
  });
}

/** Whether the text of an error of PostgreSQL can hold nothing of a row. */
function mayShowText(error: object): boolean {
  const where = fieldOf(error, 'where');
  if (isOfFunction(error) || (where !== null && !PLACE_OF_TUPLE.test(where))) return false;
  const code = fieldOf(error, 'code') ?? '';
  // A position is one in the service's own statement. Names in casts (::regclass) fail without one.
  return (
    TEXT_OF_SERVER.test(code) ||
    TEXT_OF_CATALOG.test(code) ||
    (code.startsWith('42') && fieldOf(error, 'position') !== null)
  );
}

/** The SQLSTATE, the names of what refused, and the text where it can hold nothing of a row. */
export function shownRefusal(error: Error): string {
  const names = namesOf(error).map(({ field, name }) => `${field} ${name}`);
  const functionName = functionOf(error);
  return [
    `SQLSTATE ${fieldOf(error, 'code') ?? 'unknown'}`,
    ...names,
    ...(functionName === null ? [] : [`function ${functionName}`]),
    ...(mayShowText(error) ? [error.message.slice(0, LONGEST_TEXT)] : []),
  ].join(', ');
}

/** The text of an error of PostgreSQL as people may read it. */
export function shownText(error: Error): string {
  if (error.message === '' || mayShowText(error)) return error.message;
  return `PostgreSQL refused it with ${shownRefusal(error)}`;
}

function masked(name: string): string {
  return name.replaceAll(DIGITS, '***');
}
