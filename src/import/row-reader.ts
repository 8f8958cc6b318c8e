import { ImportRefused } from './import-errors.js';
import type { RecordFormat } from './record-format.js';
import { refuseRow, TOO_LONG } from './row-rules.js';
import type { RowTaker } from './row-taker.js';
import { MAX_RECORD_BYTES, TextBlock } from './text-block.js';

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BYTE_ORDER_MARK = Buffer.from('\uFEFF');

/** Where a record begins: bytes from the beginning of the file, and the number of its line. */
export interface FilePosition {
  readonly offset: number;
  readonly line: number;
}

const BEGINNING: FilePosition = { offset: 0, line: 1 };

/**
 * Reads the rows of a file that comes in pieces of any size, and keeps no more of it than one record.
 * A record that is too long is refused and passed over, however long it is.
 */
export class RowReader {
  private rest: Buffer = Buffer.alloc(0);
  private offset: number;
  private line: number;
  private withinLongLine = false;

  constructor(
    private readonly format: RecordFormat,
    private readonly rows: RowTaker,
    startAt = BEGINNING,
  ) {
    this.offset = startAt.offset;
    this.line = startAt.line;
  }

  /** Everything before it has been read; a reader that starts there reads the rest of the rows. Only between records. */
  get position(): FilePosition | null {
    return this.withinLongLine ? null : { offset: this.offset, line: this.line };
  }

  /** The number of the line that would come next. */
  get nextLine(): number {
    return this.line;
  }

  push(piece: Buffer): void {
    let bytes = this.rest.length === 0 ? piece : Buffer.concat([this.rest, piece]);
    if (this.offset === 0) bytes = this.withoutMark(bytes);
    if (this.withinLongLine) bytes = this.withoutLongLine(bytes);
    this.rest = this.readLines(bytes);
    while (this.rest.length > MAX_RECORD_BYTES) this.refuseLongRecord();
  }

  /** Call once, after the last piece. */
  end(): void {
    if (this.rest.length > 0) this.read(this.rest, true);
    this.rest = Buffer.alloc(0);
  }

  /** Reads what there is of whole records, and returns the rest. */
  private readLines(bytes: Buffer): Buffer {
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end === 0) return bytes;
    return bytes.subarray(this.read(bytes.subarray(0, end), false));
  }

  private read(bytes: Buffer, isLast: boolean): number {
    const block = new TextBlock(bytes);
    const { characters, lines } = this.format.read(block, this.line, isLast, this.rows);
    const unread = block.text.slice(characters);
    const read = bytes.length - block.bytesIn(unread);
    this.line += lines;
    this.offset += read;
    return read;
  }

  // Of a quoted field that does not end, the lines after the first are read as records of their own.
  private refuseLongRecord(): void {
    if (this.line === 1 && !this.rest.includes(NEWLINE) && this.rest.includes(CARRIAGE_RETURN))
      throw ImportRefused.lineEnds();
    refuseRow(this.line, TOO_LONG, this.rows);
    const end = this.rest.indexOf(NEWLINE) + 1;
    const dropped = end === 0 ? this.rest.length : end;
    this.offset += dropped;
    if (end === 0) this.withinLongLine = true;
    else this.line += 1;
    this.rest = this.readLines(this.rest.subarray(dropped));
  }

  private withoutLongLine(bytes: Buffer): Buffer {
    const newline = bytes.indexOf(NEWLINE);
    this.offset += newline === -1 ? bytes.length : newline + 1;
    if (newline === -1) return Buffer.alloc(0);
    this.withinLongLine = false;
    this.line += 1;
    return bytes.subarray(newline + 1);
  }

  private withoutMark(bytes: Buffer): Buffer {
    if (!bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)) return bytes;
    this.offset = BYTE_ORDER_MARK.length;
    return bytes.subarray(BYTE_ORDER_MARK.length);
  }
}
