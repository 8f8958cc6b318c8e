import { z } from 'zod';
import type { RowFault } from './row-taker.js';

/** How many faults a report lists; the rest is counted. */
export const MAX_LISTED_FAULTS = 1_000;

export const MODES = ['all-or-nothing', 'per-row'] as const;
export const modeSchema = z.enum(MODES);
/** What a bad row costs: the whole file, or itself. */
export type ImportMode = z.infer<typeof modeSchema>;

export const importQuerySchema = z.strictObject({
  mode: modeSchema.default('all-or-nothing').meta({
    example: 'all-or-nothing',
    description:
      '`all-or-nothing`: one bad row and nothing is stored. `per-row`: the good rows are stored, without those that the database refuses (1,000 at most).',
  }),
});

export const rowFaultSchema = z
  .strictObject({
    line: z.number().int().meta({ description: 'Counted from 1; the line that the row begins on.', example: 7 }),
    field: z.string().meta({ description: 'Empty when the row as a whole was refused.', example: 'content' }),
    reason: z.string().meta({ example: 'must be at most 160 characters, got 161' }),
  })
  .meta({ id: 'RowFault' });

export const importReportSchema = z
  .strictObject({
    mode: modeSchema.meta({ example: 'per-row' }),
    rows: z.number().int().meta({ description: 'Rows that were read.', example: 1000 }),
    stored: z.number().int().meta({ example: 999 }),
    refused: z.number().int().meta({ example: 1 }),
    faults: z.array(rowFaultSchema).meta({ description: `The first ${MAX_LISTED_FAULTS}, in the order of the lines.` }),
    faults_left_out: z.number().int().meta({ description: 'Further faults, which are not listed.', example: 0 }),
  })
  .meta({ id: 'ImportReport' });
export type ImportReport = z.infer<typeof importReportSchema>;

/** What was refused, in bounded memory. */
export class RefusedRows {
  rows = 0;
  leftOut = 0;
  readonly listed: RowFault[] = [];

  add(faults: readonly RowFault[]): void {
    this.rows += 1;
    for (const fault of faults) {
      if (this.listed.length < MAX_LISTED_FAULTS) this.listed.push(fault);
      else this.leftOut += 1;
    }
  }
}

/** The report with rows that only PostgreSQL refused, one fault each. */
export function withRefused(report: ImportReport, refused: readonly RowFault[]): ImportReport {
  const faults = [...report.faults, ...refused].toSorted((one, other) => one.line - other.line);
  return {
    ...report,
    stored: report.stored - refused.length,
    refused: report.refused + refused.length,
    faults: faults.slice(0, MAX_LISTED_FAULTS),
    faults_left_out: report.faults_left_out + Math.max(0, faults.length - MAX_LISTED_FAULTS),
  };
}
