import { isFromPostgres, shownText } from './postgres-error.js';

/** The text of an error, without what PostgreSQL says of a row; one to several addresses comes as an empty aggregate. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(reasonOf).join('; ');
  if (!(error instanceof Error)) return String(error);
  return isFromPostgres(error) ? shownText(error) : error.message;
}
