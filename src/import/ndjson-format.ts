import type { Progress, RecordFormat } from './record-format.js';
import { judgeRow, NOT_UTF8, refuseRow, TOO_LONG } from './row-rules.js';
import type { RowTaker } from './row-taker.js';
import type { TextBlock } from './text-block.js';

const FIELDS: ReadonlySet<string> = new Set(['recipient_phone', 'content']);
const MAX_SHOWN_NAME = 64;

/** One JSON object per line; lines of nothing but blanks are passed over. */
export class NdjsonFormat implements RecordFormat {
  read(block: TextBlock, line: number, isLast: boolean, rows: RowTaker): Progress {
    const { text } = block;
    let at = 0;
    let lines = 0;
    while (at < text.length) {
      const newline = text.indexOf('\n', at);
      if (newline === -1 && !isLast) break;
      const end = newline === -1 ? text.length : newline;
      readLine(text.slice(at, end), block, line + lines, rows);
      lines += 1;
      at = end + 1;
    }
    return { characters: Math.min(at, text.length), lines };
  }
}

function readLine(record: string, block: TextBlock, line: number, rows: RowTaker): void {
  if (block.isTooLong(record)) return refuseRow(line, TOO_LONG, rows);
  const json = block.decoded(record);
  if (json === null) return refuseRow(line, NOT_UTF8, rows);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    if (json.trim() !== '') refuseRow(line, 'is not valid JSON', rows);
    return;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuseRow(line, 'is not an object with recipient_phone and content', rows);
  }
  readObject(value, line, rows);
}

function readObject(value: object, line: number, rows: RowTaker): void {
  const unknown = Object.keys(value).find((name) => !FIELDS.has(name));
  if (unknown !== undefined) {
    return refuseRow(line, 'is not a field of a message', rows, unknown.slice(0, MAX_SHOWN_NAME));
  }
  const { recipient_phone: phone, content } = value as { recipient_phone?: unknown; content?: unknown };
  if (typeof phone === 'string' && typeof content === 'string') return judgeRow(line, phone, content, rows);
  const wrong = Object.entries({ recipient_phone: phone, content }).filter(([, field]) => typeof field !== 'string');
  rows.refuse(
    wrong.map(([field, is]) => ({ line, field, reason: is === undefined ? 'is missing' : 'must be a text' })),
  );
}
