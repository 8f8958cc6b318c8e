import { readCsvRecord, type CsvReading } from './csv-record.js';
import { ImportRefused } from './import-errors.js';
import type { Progress, RecordFormat } from './record-format.js';
import { judgeRow, NOT_UTF8, refuseRow, TOO_LONG } from './row-rules.js';
import type { RowTaker } from './row-taker.js';
import type { TextBlock } from './text-block.js';

const NEVER_CLOSED = 'has a quote that is never closed';

/**
 * CSV as RFC 4180 has it. Its first record names the two columns, in either order; empty lines are passed over.
 * A record whose quotes do not fit is refused for the line that it begins on, and the next line is read as a record again:
 * one stray quote costs no row but its own.
 */
export class CsvFormat implements RecordFormat {
  private phoneColumn: 0 | 1 | null = null;

  read(block: TextBlock, line: number, isLast: boolean, rows: RowTaker): Progress {
    const { text } = block;
    let at = 0;
    let lines = 0;
    while (at < text.length) {
      const reading = readCsvRecord(text, at);
      const fault = faultOf(reading, block, at);
      if (reading === 'incomplete' && fault === NEVER_CLOSED && !isLast) break;
      if (reading === 'incomplete' || 'fault' in reading || fault !== null) {
        this.refuse(line + lines, fault ?? NEVER_CLOSED, rows);
        at = endOfLine(text, at);
        lines += 1;
      } else {
        this.readFields(reading.fields, block, line + lines, rows);
        at = reading.end;
        lines += reading.lines;
      }
    }
    return { characters: Math.min(at, text.length), lines };
  }

  private readFields(fields: readonly string[], block: TextBlock, line: number, rows: RowTaker): void {
    if (fields.length === 1 && fields[0] === '') return;
    if (this.phoneColumn === null) {
      this.phoneColumn = phoneColumnOf(fields, line);
      return;
    }
    const [first, second] = fields;
    if (first === undefined || second === undefined || fields.length > 2) {
      const reason =
        fields.length === 1
          ? 'has 1 column instead of 2'
          : `has ${fields.length} columns instead of 2: a field with a comma must be quoted`;
      return refuseRow(line, reason, rows);
    }
    const phone = block.decoded(this.phoneColumn === 0 ? first : second);
    const content = block.decoded(this.phoneColumn === 0 ? second : first);
    if (phone !== null && content !== null) return judgeRow(line, phone, content, rows);
    refuseRow(line, NOT_UTF8, rows, phone === null ? 'recipient_phone' : 'content');
  }

  private refuse(line: number, reason: string, rows: RowTaker): void {
    if (this.phoneColumn === null) throw ImportRefused.header(line);
    refuseRow(line, reason, rows);
  }
}

function faultOf(reading: CsvReading, block: TextBlock, start: number): string | null {
  if (reading === 'incomplete') return block.isTooLong(block.text.slice(start)) ? TOO_LONG : NEVER_CLOSED;
  if ('fault' in reading) return reading.fault;
  return block.isTooLong(block.text.slice(start, reading.end - 1)) ? TOO_LONG : null;
}

function phoneColumnOf(names: readonly string[], line: number): 0 | 1 {
  const [first, second] = names;
  if (names.length === 2 && first === 'recipient_phone' && second === 'content') return 0;
  if (names.length === 2 && first === 'content' && second === 'recipient_phone') return 1;
  throw ImportRefused.header(line);
}

function endOfLine(text: string, from: number): number {
  const newline = text.indexOf('\n', from);
  return newline === -1 ? text.length : newline + 1;
}
