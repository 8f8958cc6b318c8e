import type { RecordFormat } from '../../src/import/record-format.js';
import { RowReader } from '../../src/import/row-reader.js';
import type { RowFault } from '../../src/import/row-taker.js';

export interface ReadRows {
  readonly taken: readonly (readonly [recipientPhone: string, content: string])[];
  readonly faults: readonly RowFault[];
}

/** What a format reads from a file that comes in pieces of this size. */
export function readRows(format: RecordFormat, file: string | Buffer, pieceBytes = 64 * 1024): ReadRows {
  const taken: [string, string][] = [];
  const faults: RowFault[] = [];
  const reader = new RowReader(format, {
    take: (phone, content) => taken.push([phone, content]),
    refuse: (found) => faults.push(...found),
  });
  const bytes = Buffer.from(file);
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes));
  reader.end();
  return { taken, faults };
}
