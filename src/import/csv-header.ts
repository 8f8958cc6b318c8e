import { ImportRefused } from './import-errors.js';

const SEPARATORS: Readonly<Record<string, string>> = { ',': 'a comma', ';': 'a semicolon', '\t': 'a tab' };

/** What the first lines of a CSV file say of the others. */
export interface CsvHeader {
  readonly separator: string;
  readonly phoneColumn: 0 | 1;
  /** Those after the second have neither a name nor, in any row, a value. */
  readonly columns: number;
}

/** The separator that spreadsheets write down in a line of its own (`sep=;`); null: it is no such line. */
export function separatorLine(line: string): string | null {
  const separator = /^"?sep=([,;\t])"?\r?$/i.exec(line)?.[1];
  return separator ?? null;
}

/**
 * The header, whichever separator, case and blanks it is written with; `separator` when an earlier line named it.
 * @throws ImportRefused that says what was found instead, without quoting it: it may be a message.
 */
export function readHeader(line: string, number: number, separator: string | null): CsvHeader {
  if (/^(ÿþ|þÿ)|\0/.test(line)) throw ImportRefused.encoding();
  if (line.replace(/\r$/, '').includes('\r')) throw ImportRefused.lineEnds();
  const candidates = separator === null ? Object.keys(SEPARATORS) : [separator];
  for (const candidate of candidates) {
    const names = namesIn(line, candidate);
    const phoneColumn = names.indexOf('recipient_phone');
    const contentColumn = names.indexOf('content');
    const rest = names.slice(2).every((name) => name === '');
    if (rest && (phoneColumn === 0 || phoneColumn === 1) && contentColumn === 1 - phoneColumn) {
      return { separator: candidate, phoneColumn, columns: names.length };
    }
  }
  throw ImportRefused.header(number, found(line, candidates));
}

function namesIn(line: string, separator: string): string[] {
  return line.split(separator).map((name) =>
    name
      .trim()
      .replace(/^"(.*)"$/, '$1')
      .trim()
      .toLowerCase(),
  );
}

function found(line: string, candidates: readonly string[]): string {
  const [separator, columns] = candidates
    .map((candidate) => [candidate, line.split(candidate).length] as const)
    .reduce((most, next) => (next[1] > most[1] ? next : most));
  if (columns === 1) return 'one column, without a comma, a semicolon or a tab';
  const names = namesIn(line, separator);
  const missing = ['recipient_phone', 'content'].filter((name) => !names.includes(name));
  const lacking = missing.length === 0 ? 'others beside these two' : `none named ${missing.join(' or ')}`;
  return `${columns} columns separated by ${SEPARATORS[separator]}, ${lacking}`;
}
