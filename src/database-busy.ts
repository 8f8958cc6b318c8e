import { DomainError } from './domain-error.js';

/** All connections that the API has to PostgreSQL are in use, and too many calls wait for one already. Nothing was done. */
export class DatabaseBusy extends DomainError {
  readonly code = 'database.busy';
  readonly kind = 'unavailable';

  constructor(cause?: unknown) {
    super(
      'All database connections of the API are in use, so nothing was done: try again. If it lasts, raise ' +
        'APP_DB_API_CONNECTIONS or look for slow calls',
    );
    this.cause = cause;
  }
}
