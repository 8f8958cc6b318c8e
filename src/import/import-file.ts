import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { codeOf } from '../described-error.js';
import { StartupError } from '../startup-error.js';
import { CsvFormat } from './csv-format.js';
import type { FileIdentity, FormatName } from './import-ledger.js';
import { NdjsonFormat } from './ndjson-format.js';
import type { RecordFormat } from './record-format.js';
import { RowReader, type FilePosition } from './row-reader.js';
import type { RowTaker } from './row-taker.js';

const PIECE_BYTES = 256 * 1024;
const BY_EXTENSION: Readonly<Record<string, FormatName>> = { '.csv': 'csv', '.ndjson': 'ndjson', '.jsonl': 'ndjson' };
const NOBODY: RowTaker = { take: () => undefined, refuse: () => undefined };

/** A file that stays the same while it is read; when it does not, reading it fails. */
export class ImportFile {
  private constructor(
    private readonly handle: FileHandle,
    private readonly path: string,
    readonly format: FormatName,
    readonly bytes: number,
    private readonly changedAtMs: number,
  ) {}

  /** @throws StartupError when it cannot be read, or when nobody says which format it has. */
  static async open(path: string, format: FormatName | undefined): Promise<ImportFile> {
    const known = format ?? BY_EXTENSION[extname(path).toLowerCase()];
    if (known === undefined) {
      throw new StartupError(`${path} is neither .csv nor .ndjson nor .jsonl: say which with --format csv or ndjson`);
    }
    const handle = await open(path).catch((cause: unknown) => {
      throw new StartupError(`${path} cannot be read (${codeOf(cause) ?? 'unknown reason'})`, { cause });
    });
    const stat = await handle.stat();
    if (!stat.isFile()) {
      await handle.close();
      throw new StartupError(`${path} is not a file: an import that was broken off could not go on with it`);
    }
    return new ImportFile(handle, path, known, stat.size, stat.mtimeMs);
  }

  /** @throws ImportRefused when its beginning says that it cannot be read at all. */
  async checkBeginning(): Promise<void> {
    await this.readBeginning(this.newFormat());
  }

  /** Its identity; when `rows` is given, its rows are handed on as well. */
  async identify(rows: RowTaker | null, onPiece: (offset: number) => void): Promise<FileIdentity> {
    const hash = createHash('sha256');
    const reader = rows === null ? null : new RowReader(this.newFormat(), rows);
    for await (const { piece, end } of this.pieces(0)) {
      hash.update(piece);
      reader?.push(piece);
      onPiece(end);
    }
    reader?.end();
    return { sha256: hash.digest('hex'), name: basename(this.path), bytes: this.bytes, format: this.format };
  }

  /** A reader that goes on at `position`, and knows the columns from the beginning of the file. */
  async readerFrom(position: FilePosition, rows: RowTaker): Promise<RowReader> {
    const format = this.newFormat();
    if (position.offset > 0) await this.readBeginning(format);
    return new RowReader(format, rows, position);
  }

  /** The bytes from `offset` on. Ends with an error when the file was changed meanwhile. */
  async *pieces(offset: number): AsyncGenerator<{ readonly piece: Buffer; readonly end: number }> {
    for (let at = offset; at < this.bytes;) {
      const { buffer, bytesRead } = await this.handle.read(Buffer.allocUnsafe(PIECE_BYTES), 0, PIECE_BYTES, at);
      await this.assertUnchanged(bytesRead);
      at += bytesRead;
      yield { piece: buffer.subarray(0, bytesRead), end: at };
    }
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private async readBeginning(format: RecordFormat): Promise<void> {
    const { buffer, bytesRead } = await this.handle.read(Buffer.alloc(PIECE_BYTES), 0, PIECE_BYTES, 0);
    new RowReader(format, NOBODY).push(buffer.subarray(0, bytesRead));
  }

  private newFormat(): RecordFormat {
    return this.format === 'csv' ? new CsvFormat() : new NdjsonFormat();
  }

  private async assertUnchanged(bytesRead: number): Promise<void> {
    const { size, mtimeMs } = await this.handle.stat();
    if (bytesRead > 0 && size === this.bytes && mtimeMs === this.changedAtMs) return;
    throw new StartupError(
      `${this.path} was changed while it was read; what it has become is another file, to be imported anew`,
    );
  }
}
