import type { Client } from 'pg';
import { ChunkTransaction } from './chunk-transaction.js';
import { CopyRows } from './copy-rows.js';
import type { ImportFile } from './import-file.js';
import type { ImportLedger, ImportRun } from './import-ledger.js';
import { RefusedRows } from './import-report.js';
import type { FilePosition } from './row-reader.js';

/** Rows of one transaction, at least: about a second's. After `kill -9` no more than these are read again. */
const CHUNK_ROWS = 100_000;
/** Characters that are handed to PostgreSQL at once. */
const WRITE_SIZE = 64 * 1024;

export interface FileProgress {
  readonly offset: number;
  readonly stored: number;
}

/**
 * Stores the rest of a file in chunks. Each is one transaction together with the position after it, so that whatever ends
 * the process, the next one goes on exactly there. Returns what this call did.
 */
export async function importRest(
  client: Client,
  ledger: ImportLedger,
  file: ImportFile,
  run: ImportRun,
  onProgress: (progress: FileProgress) => void,
): Promise<{ stored: number; refused: RefusedRows }> {
  const good = new CopyRows();
  const refused = new RefusedRows();
  const reader = await file.readerFrom(run.position, {
    take: (phone, content, line) => good.add(phone, content, line),
    refuse: (faults) => refused.add(faults),
  });
  let committed = { position: run.position, stored: 0, refused: 0 };
  let written = 0;
  let chunk = await ChunkTransaction.begin(client, ledger, run.mode);

  const write = async () => {
    const rows = good.takeAll();
    if (rows.lines.length > 0) await chunk.write(rows);
    written += rows.lines.length;
  };
  const commit = async (to: FilePosition, isLast: boolean) => {
    await write();
    const refusedThere = await chunk.commit(run, {
      from: committed.position,
      to,
      isLast,
      stored: written - committed.stored,
      refused: refused.rows - committed.refused,
    });
    for (const fault of refusedThere) refused.add([fault]);
    written -= refusedThere.length;
    committed = { position: to, stored: written, refused: refused.rows };
    onProgress({ offset: to.offset, stored: written });
  };

  for await (const { piece } of file.pieces(run.position.offset)) {
    reader.push(piece);
    if (good.size >= WRITE_SIZE) await write();
    const rowsRead = written + refused.rows - committed.stored - committed.refused;
    if (rowsRead < CHUNK_ROWS || reader.position === null) continue;
    await commit(reader.position, false);
    chunk = await ChunkTransaction.begin(client, ledger, run.mode);
  }
  reader.end();
  await commit({ offset: file.bytes, line: reader.nextLine }, true);
  return { stored: written, refused };
}
