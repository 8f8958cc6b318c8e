import type { Client } from 'pg';
import { copyRows, CopyRows } from './copy-rows.js';
import type { ImportFile } from './import-file.js';
import type { ImportLedger, ImportRun } from './import-ledger.js';
import { RefusedRows } from './import-report.js';
import type { FilePosition } from './row-reader.js';

/** Characters of one transaction, some 50,000 rows. After `kill -9` no more than this is read again. */
const CHUNK_SIZE = 2 * 1024 * 1024;

export interface FileProgress {
  readonly offset: number;
  readonly stored: number;
}

/**
 * Stores the rest of a file in chunks. Each is one transaction together with the position after it, so that whatever ends
 * the process, the next one goes on exactly there. One chunk is stored while the next is read. Returns what this call did.
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
    take: (phone, content) => good.add(phone, content),
    refuse: (faults) => refused.add(faults),
  });
  let from = run.position;
  let refusedBefore = 0;
  let stored = 0;
  let storing: Promise<void> = Promise.resolve();

  const store = async (to: FilePosition, isLast: boolean) => {
    await storing;
    const { bytes, count } = good.takeAll();
    const step = { from, to, isLast, stored: count, refused: refused.rows - refusedBefore };
    [from, refusedBefore] = [to, refused.rows];
    storing = (async () => {
      await client.query('BEGIN');
      if (count > 0) await copyRows(client, bytes);
      await ledger.advance(run, step);
      await client.query('COMMIT');
      stored += count;
      onProgress({ offset: to.offset, stored });
    })();
    storing.catch(() => undefined);
  };

  for await (const { piece } of file.pieces(run.position.offset)) {
    reader.push(piece);
    if (good.size >= CHUNK_SIZE && reader.position !== null) await store(reader.position, false);
  }
  reader.end();
  await store({ offset: file.bytes, line: reader.nextLine }, true);
  await storing;
  return { stored, refused };
}
