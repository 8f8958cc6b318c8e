import { readHeader, separatorLine, type CsvHeader } from './csv-header.js';
import { readCsvRecord, type CsvReading } from './csv-record.js';
import type { Progress, RecordFormat } from './record-format.js';
import { judgeRow, NOT_UTF8, refuseRow, TOO_LONG } from './row-rules.js';
import type { RowTaker } from './row-taker.js';
import type { TextBlock } from './text-block.js';

const NEVER_CLOSED = 'has a quote that is never closed';

/**
 * CSV as RFC 4180 has it, with commas, or with semicolons or tabs where the header has them. The header names the two columns,
 * in either order; lines with nothing in any column are passed over.
 * A record whose quotes do not fit is refused for the line that it begins on, and the next line is read as a record again:
 * one stray quote costs no row but its own.
 */
export class CsvFormat implements RecordFormat {
  private header: CsvHeader | null = null;
  private separator: string | null = null;

  read(block: TextBlock, line: number, isLast: boolean, rows: RowTaker): Progress {
    const { text } = block;
    let at = 0;
    let lines = 0;
    while (at < text.length) {
      if (this.header === null) {
        const end = endOfLine(text, at);
        this.readFirst(text.slice(at, end).replace(/\n$/, ''), line + lines);
        at = end;
        lines += 1;
        continue;
      }
      const reading = readCsvRecord(text, at, this.header.separator);
      const fault = faultOf(reading, block, at);
      if (reading === 'incomplete' && fault === NEVER_CLOSED && !isLast) break;
      if (reading === 'incomplete' || 'fault' in reading || fault !== null) {
        refuseRow(line + lines, fault ?? NEVER_CLOSED, rows);
        at = endOfLine(text, at);
        lines += 1;
      } else {
        this.readFields(this.header, reading.fields, block, line + lines, rows);
        at = reading.end;
        lines += reading.lines;
      }
    }
    return { characters: Math.min(at, text.length), lines };
  }

  private readFirst(text: string, line: number): void {
    if (text.trim() === '') return;
    const separator = this.separator === null ? separatorLine(text) : null;
    if (separator === null) this.header = readHeader(text, line, this.separator);
    else this.separator = separator;
  }

  private readFields(
    { separator, columns, phoneColumn }: CsvHeader,
    fields: readonly string[],
    block: TextBlock,
    line: number,
    rows: RowTaker,
  ): void {
    if (fields.every((field) => field === '')) return;
    const [first, second] = fields;
    const hasMore = fields.length > columns || fields.slice(2).some((field) => field !== '');
    if (first === undefined || second === undefined || hasMore) {
      const reason =
        fields.length === 1
          ? 'has 1 column instead of 2'
          : `has ${fields.length} columns instead of ${columns}: a field with a ${separator === ',' ? 'comma' : 'separator'} must be quoted`;
      return refuseRow(line, reason, rows);
    }
    const phone = block.decoded(phoneColumn === 0 ? first : second);
    const content = block.decoded(phoneColumn === 0 ? second : first);
    if (phone !== null && content !== null) return judgeRow(line, phone, content, rows);
    refuseRow(line, NOT_UTF8, rows, phone === null ? 'recipient_phone' : 'content');
  }
}

function faultOf(reading: CsvReading, block: TextBlock, start: number): string | null {
  if (reading === 'incomplete') return block.isTooLong(block.text.slice(start)) ? TOO_LONG : NEVER_CLOSED;
  if ('fault' in reading) return reading.fault;
  return block.isTooLong(block.text.slice(start, reading.end - 1)) ? TOO_LONG : null;
}

function endOfLine(text: string, from: number): number {
  const newline = text.indexOf('\n', from);
  return newline === -1 ? text.length : newline + 1;
}
