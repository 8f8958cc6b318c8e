import type { Client } from 'pg';
import { StartupError } from '../startup-error.js';
import { importRest } from './file-import.js';
import { openImportConnection } from './import-connection.js';
import { ImportRefused } from './import-errors.js';
import { ImportFile } from './import-file.js';
import { ImportLedger, type FileIdentity, type ImportRun } from './import-ledger.js';
import { RefusedRows } from './import-report.js';
import type { Wish } from './import-wish.js';
import { ProgressLine } from './progress-line.js';

/** Exit codes: everything is stored; nothing was, or not everything; all but the rows that were refused. */
export const EXIT = { done: 0, failed: 1, rowsRefused: 2 } as const;

/** Does what the command was asked for, telling on `say` and, of bad rows, on `complain`; returns the exit code. */
export async function importFile(
  wish: Wish,
  dbUrl: string,
  say: (line: string) => void,
  complain: (line: string) => void,
): Promise<number> {
  const file = await ImportFile.open(wish.path, wish.format);
  let client: Client | undefined;
  try {
    client = await openImportConnection(dbUrl);
    return await run(wish, file, client, say, complain);
  } finally {
    await client?.end().catch(() => undefined);
    await file.close();
  }
}

async function run(
  wish: Wish,
  file: ImportFile,
  client: Client,
  say: (line: string) => void,
  complain: (line: string) => void,
): Promise<number> {
  const ledger = new ImportLedger(client);
  const inspected = await inspect(wish, file);
  if (inspected.refused.rows > 0) {
    tell(inspected.refused, complain);
    complain(`${inspected.refused.rows} rows are bad, so nothing was stored; --mode per-row stores the others`);
    return EXIT.failed;
  }
  await ledger.claim(inspected.identity);
  const newest = await ledger.newest(inspected.identity);
  if (newest?.finishedAt != null && !wish.again) {
    say(
      `${wish.path} was imported on ${newest.finishedAt.toISOString()}: ${newest.stored} rows. --again does it again`,
    );
    return EXIT.done;
  }
  const at = await pick(wish, newest, inspected.identity, ledger, say);
  const progress = new ProgressLine('storing', file.bytes, at.position.offset);
  const { stored, refused } = await importRest(client, ledger, file, at, ({ offset, stored: rows }) =>
    progress.show(offset, rows),
  ).finally(() => progress.end());
  tell(refused, complain);
  const [allStored, allRefused] = [at.stored + stored, at.refused + refused.rows];
  say(`${wish.path}: ${allStored} rows stored, ${allRefused} refused`);
  return allRefused > 0 ? EXIT.rowsRefused : EXIT.done;
}

/** Reads the whole file once: who it is and, when one bad row is to keep all of it out, whether there is one. */
async function inspect(wish: Wish, file: ImportFile): Promise<{ identity: FileIdentity; refused: RefusedRows }> {
  await file.checkBeginning();
  const refused = new RefusedRows();
  let good = 0;
  const taker = {
    take: () => void (good += 1),
    refuse: (faults: Parameters<RefusedRows['add']>[0]) => refused.add(faults),
  };
  const progress = new ProgressLine('checking', file.bytes, 0);
  const identity = await file
    .identify(wish.mode === 'all-or-nothing' ? taker : null, (offset) => progress.show(offset, good))
    .finally(() => progress.end());
  if (wish.mode === 'all-or-nothing' && good + refused.rows === 0) throw ImportRefused.empty();
  return { identity, refused };
}

async function pick(
  wish: Wish,
  newest: ImportRun | null,
  identity: FileIdentity,
  ledger: ImportLedger,
  say: (line: string) => void,
): Promise<ImportRun> {
  if (newest === null || newest.finishedAt !== null) return await ledger.begin(identity, wish.mode);
  if (newest.mode !== wish.mode || newest.format !== identity.format) {
    throw new StartupError(
      `An import of this file was broken off: go on with --mode ${newest.mode} --format ${newest.format}`,
    );
  }
  say(`Going on at line ${newest.position.line}: ${newest.stored} rows are stored already`);
  return newest;
}

function tell(refused: RefusedRows, complain: (line: string) => void): void {
  for (const { line, field, reason } of refused.listed) complain(`line ${line}: ${field}${field && ' '}${reason}`);
  if (refused.leftOut > 0) complain(`… and ${refused.leftOut} more faults`);
}
