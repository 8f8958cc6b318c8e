/** Why a row was refused. `line` counts from 1; `field` is empty when the row as a whole was refused. */
export interface RowFault {
  readonly line: number;
  readonly field: string;
  readonly reason: string;
}

/** Where the rows of a file go, in their order. Each row is either taken or refused. */
export interface RowTaker {
  take(recipientPhone: string, content: string, line: number): void;
  /** `faults` has at least one entry. */
  refuse(faults: readonly RowFault[]): void;
}
