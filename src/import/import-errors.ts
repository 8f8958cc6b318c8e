import { DomainError } from '../domain-error.js';
import type { ImportReport } from './import-report.js';
import type { RowFault } from './row-taker.js';

/** The file as a whole cannot be read. */
export class ImportRefused extends DomainError {
  readonly kind = 'malformed';

  private constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }

  static header(line: number, found: string): ImportRefused {
    return new ImportRefused(
      'import.header',
      `Line ${line} must name the two columns, recipient_phone,content: without it nobody knows which is which. It has ${found}`,
    );
  }

  static encoding(): ImportRefused {
    return new ImportRefused(
      'import.encoding',
      'The file is UTF-16: save it as UTF-8 (in Excel "CSV UTF-8") and send it again',
    );
  }

  static lineEnds(): ImportRefused {
    return new ImportRefused(
      'import.line_ends',
      'The lines of the file end with CR alone, as on an old Macintosh: save it with LF or CRLF and send it again',
    );
  }

  static empty(): ImportRefused {
    return new ImportRefused('import.empty', 'There is no row in it');
  }

  static brokenOff(): ImportRefused {
    return new ImportRefused('import.broken_off', 'The upload ended before its end, so nothing was stored');
  }
}

/** Rows that cannot be messages, in a file that is to be stored as a whole or not at all. */
export class ImportInvalid extends DomainError {
  readonly code = 'import.invalid';
  readonly kind = 'malformed';
  override readonly details: Pick<ImportReport, 'rows' | 'refused' | 'faults' | 'faults_left_out'>;

  constructor({ rows, refused, faults, faults_left_out }: ImportReport) {
    super(`${refused} of ${rows} rows ${refused === 1 ? 'is' : 'are'} invalid, so none was stored`);
    this.details = { rows, refused, faults, faults_left_out };
  }
}

/** A transaction of so many rows that were refused one by one would take too long. */
export class ImportRefusedByDatabase extends DomainError {
  readonly code = 'import.refused_by_database';
  readonly kind = 'invalid';
  override readonly details: { readonly faults: readonly RowFault[] };

  constructor(most: number, first: RowFault) {
    super(
      `The database refused more than ${most} rows, so none of them was stored; the first, of line ${first.line}, ${first.reason}. ` +
        'Mend the trigger or the constraint, or take these rows out, and import the file again',
    );
    this.details = { faults: [first] };
  }
}

/** The file has more bytes or rows than one import may bring. */
export class ImportTooLarge extends DomainError {
  readonly code = 'import.too_large';
  readonly kind = 'too_large';

  constructor(limit: string) {
    super(
      `The file has more than ${limit}, so nothing was stored: send it in parts, raise the setting, or use "npm run import", ` +
        'which has no limit',
    );
  }
}

/** Each import holds a connection to PostgreSQL, and parsing takes time from the sending. */
export class ImportBusy extends DomainError {
  readonly code = 'import.busy';
  readonly kind = 'unavailable';

  constructor(atOnce: number) {
    super(`${atOnce} imports are under way here already: try again when one has ended`);
  }
}

/** The connection was lost after the commit was sent and before PostgreSQL had answered it. */
export class ImportUnconfirmed extends DomainError {
  readonly code = 'import.unconfirmed';
  readonly kind = 'unconfirmed';

  constructor(cause: unknown) {
    super(
      'PostgreSQL did not confirm the import: either the whole of it was stored or nothing. Look for one of its rows ' +
        '(GET /messages, or the table itself), and send the file again only if it is not there',
    );
    this.cause = cause;
  }
}

export class ImportInterrupted extends DomainError {
  readonly code = 'import.interrupted';
  readonly kind = 'unavailable';

  constructor() {
    super('The service is ending, so nothing was stored: send the file again');
  }
}
