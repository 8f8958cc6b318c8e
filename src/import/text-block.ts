import { isUtf8 } from 'node:buffer';

/** The longest record that is read. The longest message of all, every character escaped, has 2 kB. */
export const MAX_RECORD_BYTES = 16 * 1024;

/**
 * Bytes as text that may be cut at any ASCII character. Bytes that are not UTF-8 stand in it one character each, so that
 * the records beside a broken one are still found and read.
 */
export class TextBlock {
  readonly text: string;
  private readonly valid: boolean;

  constructor(bytes: Buffer) {
    this.valid = isUtf8(bytes);
    this.text = bytes.toString(this.valid ? 'utf8' : 'latin1');
  }

  /** What a piece of the text says; null when its bytes are not UTF-8. */
  decoded(piece: string): string | null {
    if (this.valid) return piece;
    const bytes = Buffer.from(piece, 'latin1');
    return isUtf8(bytes) ? bytes.toString('utf8') : null;
  }

  bytesIn(piece: string): number {
    return this.valid ? Buffer.byteLength(piece) : piece.length;
  }

  isTooLong(record: string): boolean {
    // A character of the text stands for at most three bytes.
    return record.length * 3 > MAX_RECORD_BYTES && this.bytesIn(record) > MAX_RECORD_BYTES;
  }
}
