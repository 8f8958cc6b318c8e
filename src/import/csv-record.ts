/** A record of a CSV text: its fields, where the next record begins, and how many lines it takes. */
export interface CsvRecord {
  readonly fields: readonly string[];
  readonly end: number;
  readonly lines: number;
}

export type CsvReading = CsvRecord | { readonly fault: string } | 'incomplete';

const UNQUOTED_QUOTE = 'has a quote in a field that is not quoted: quote the whole field and double the quotes in it';
const AFTER_QUOTE = 'has text after a closing quote: double the quotes that are part of a field';

/**
 * Reads the record that begins at `start`, as RFC 4180 has it: a quoted field may hold separators, line ends and doubled quotes.
 * Lines end with LF or CRLF. `incomplete`: the text ends within a quoted field.
 */
export function readCsvRecord(text: string, start: number, separator = ','): CsvReading {
  const newline = text.indexOf('\n', start);
  const line = text.slice(start, newline === -1 ? text.length : newline);
  if (!line.includes('"')) {
    const bare = line.endsWith('\r') ? line.slice(0, -1) : line;
    return { fields: bare.split(separator), end: start + line.length + 1, lines: 1 };
  }
  return readQuoted(text, start, separator);
}

function readQuoted(text: string, start: number, separator: string): CsvReading {
  const fields: string[] = [];
  let at = start;
  for (;;) {
    const field = text[at] === '"' ? quotedField(text, at, separator) : bareField(text, at, separator);
    if (field === 'incomplete' || 'fault' in field) return field;
    fields.push(field.value);
    at = field.end;
    if (text[at] === separator) at += 1;
    else {
      const record = text.slice(start, at);
      return { fields, end: at + 1, lines: record.split('\n').length };
    }
  }
}

type Field = { readonly value: string; readonly end: number } | { readonly fault: string } | 'incomplete';

function quotedField(text: string, open: number, separator: string): Field {
  let close = text.indexOf('"', open + 1);
  while (close !== -1 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
  if (close === -1) return 'incomplete';
  const value = text.slice(open + 1, close).replaceAll('""', '"');
  const end = close + 1;
  if (endsField(text[end], separator)) return { value, end };
  return text[end] === '\r' && isLineEnd(text[end + 1]) ? { value, end: end + 1 } : { fault: AFTER_QUOTE };
}

function bareField(text: string, start: number, separator: string): Field {
  let end = start;
  while (!endsField(text[end], separator)) end += 1;
  const value = text.slice(start, end);
  if (value.includes('"')) return { fault: UNQUOTED_QUOTE };
  return { value: isLineEnd(text[end]) && value.endsWith('\r') ? value.slice(0, -1) : value, end };
}

function isLineEnd(character: string | undefined): boolean {
  return character === '\n' || character === undefined;
}

function endsField(character: string | undefined, separator: string): boolean {
  return character === separator || isLineEnd(character);
}
