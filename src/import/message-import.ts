import type { Readable } from 'node:stream';
import { BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { StaticSettings } from '../config/static-settings.js';
import { noteNothingDone } from '../database-outage.js';
import { CopyRows } from './copy-rows.js';
import {
  ImportBusy,
  ImportInterrupted,
  ImportInvalid,
  ImportRefused,
  ImportTooLarge,
  ImportUnconfirmed,
} from './import-errors.js';
import { RefusedRows, withRefused, type ImportMode, type ImportReport } from './import-report.js';
import type { RecordFormat } from './record-format.js';
import { isOfRows } from './row-by-row.js';
import { RowReader } from './row-reader.js';
import { StagedRows } from './staged-rows.js';
import { arriving } from './steady-body.js';

export const IMPORTS_AT_ONCE = 2;

/** Characters of one batch: large enough that a statement for it costs nothing, small enough to be held twice. */
const BATCH_SIZE = 1024 * 1024;

/** Takes files of messages in, whatever their size at the same use of memory. */
@Injectable()
export class MessageImport implements BeforeApplicationShutdown {
  private readonly stopping = new AbortController();
  private underWay = 0;

  constructor(private readonly settings: StaticSettings) {}

  beforeApplicationShutdown(): void {
    this.stopping.abort(new ImportInterrupted());
  }

  /**
   * Stores the rows of `body`, in their order and in one transaction, once the whole of it has come; before that nothing
   * can be seen of them. Rejects and stores nothing when `gone` is aborted, when the body stalls, breaks off or cannot be
   * read or is too large, when the service ends, and, for `all-or-nothing`, when any row is bad. A commit that has begun is carried through,
   * whoever goes away; only of one that PostgreSQL did not answer nobody knows.
   * @throws ImportUnconfirmed in that case.
   */
  async store(body: Readable, format: RecordFormat, mode: ImportMode, gone: AbortSignal): Promise<ImportReport> {
    if (this.stopping.signal.aborted) throw new ImportInterrupted();
    if (this.underWay >= IMPORTS_AT_ONCE) throw new ImportBusy(IMPORTS_AT_ONCE);
    this.underWay += 1;
    const signal = AbortSignal.any([gone, this.stopping.signal]);
    try {
      return await this.storeStaged(body, format, mode, signal);
    } catch (error) {
      if (error instanceof ImportUnconfirmed) throw error;
      // What a connection that was cut says of itself is not why.
      signal.throwIfAborted();
      noteNothingDone(error);
      throw error;
    } finally {
      this.underWay -= 1;
    }
  }

  private async storeStaged(
    body: Readable,
    format: RecordFormat,
    mode: ImportMode,
    signal: AbortSignal,
  ): Promise<ImportReport> {
    // Its temporary table must outlast a transaction, so it goes around a pooler.
    const url = this.settings.dbDirectUrl ?? this.settings.dbUrl;
    if (url === null) throw new Error('an import needs a database');
    const staged = await StagedRows.open(url);
    const cut = () => void staged.discard();
    signal.addEventListener('abort', cut, { once: true });
    try {
      const report = await this.stage(body, format, mode, staged, signal);
      if (report.rows === 0) throw ImportRefused.empty();
      if (mode === 'all-or-nothing' && report.refused > 0) throw new ImportInvalid(report);
      try {
        await staged.publish(report.stored, signal);
        return report;
      } catch (error) {
        if (mode === 'all-or-nothing' || !isOfRows(error)) throw error;
        return withRefused(report, await staged.publishWhatIsTaken(error, signal));
      }
    } finally {
      signal.removeEventListener('abort', cut);
      await staged.discard();
    }
  }

  private async stage(
    body: Readable,
    format: RecordFormat,
    mode: ImportMode,
    staged: StagedRows,
    signal: AbortSignal,
  ): Promise<ImportReport> {
    const { serverReadTimeoutMs, importMaxBytes, importMaxRows } = this.settings;
    const good = new CopyRows();
    const bad = new RefusedRows();
    let stored = 0;
    const assertFewRows = () => {
      if (stored + good.count + bad.rows > importMaxRows)
        throw new ImportTooLarge(`${importMaxRows} rows (APP_IMPORT_MAX_ROWS)`);
    };
    const reader = new RowReader(format, {
      take: (phone, content, line) => good.add(phone, content, line),
      refuse: (faults) => bad.add(faults),
    });
    const send = async () => {
      const rows = good.takeAll();
      stored += rows.lines.length;
      // Once a row is bad, nothing will be stored: the rest is read for its faults alone.
      if (rows.lines.length > 0 && !(mode === 'all-or-nothing' && bad.rows > 0)) await staged.add(rows);
    };
    let bytes = 0;
    for await (const piece of arriving(body, serverReadTimeoutMs, signal)) {
      bytes += piece.length;
      if (bytes > importMaxBytes) throw new ImportTooLarge(`${importMaxBytes} bytes (APP_IMPORT_MAX_BYTES)`);
      reader.push(piece);
      assertFewRows();
      if (good.size >= BATCH_SIZE) await send();
    }
    reader.end();
    assertFewRows();
    await send();
    const rows = stored + bad.rows;
    return { mode, rows, stored, refused: bad.rows, faults: bad.listed, faults_left_out: bad.leftOut };
  }
}
