import type { RowTaker } from './row-taker.js';
import type { TextBlock } from './text-block.js';

/** How far a format has read: characters of the block, and lines. */
export interface Progress {
  readonly characters: number;
  readonly lines: number;
}

/** How rows are written in a file. An object reads one file, from its beginning to its end. */
export interface RecordFormat {
  /**
   * Reads the whole records of a block that ends with a line, or with the file when `isLast`, and hands their rows on.
   * `line` is the number of the block's first line. What it leaves unread is the beginning of a record and comes again,
   * with more; of the file's last block nothing is left. A record that cannot be read costs its own line alone.
   * @throws ImportRefused when the file as a whole cannot be read.
   */
  read(block: TextBlock, line: number, isLast: boolean, rows: RowTaker): Progress;
}
