/** The head of an answer. `text` is strict HTTP/1.1; `plain`: it came so. */
export interface AnswerHead {
  readonly status: number;
  readonly text: string;
  readonly plain: boolean;
}

interface Field {
  readonly name: string;
  readonly line: string;
}

const STATUS_LINE = /^HTTP\/1\.(\d) +([1-9]\d\d)(?: (.*))?$/s;
const FIELD = /^([!#$%&'*+.^_`|~\w-]+)[\t ]*:(.*)$/s;
/** What a value may not hold, and a client may read as a blank (RFC 9110 §5.5). */
const NOT_IN_VALUES = /[^\t\x20-\x7e\x80-\xff]/g;
/** More digits are no length of an answer, and beyond what parsers count to. */
const LENGTH = /^\d{1,15}$/;
const QUOTED_CHARACTERS = 100;

export function isStatusLine(line: string): boolean {
  return STATUS_LINE.test(line);
}

/** Whether it is the status line of a 2xx. */
export function isAcceptance(line: string): boolean {
  return STATUS_LINE.exec(line)?.[2]?.startsWith('2') === true;
}

/**
 * Reads the head of an answer as leniently as HTTP allows, and writes it as parsers want it: lines that end by LF alone (RFC
 * 9112 §2.2), blanks before a colon (§5.1), folded lines (§5.2), a length beside chunks (§6.3), the same length more than once
 * (RFC 9110 §8.6). A line that is no field is left out: neither the status nor the end of the body depends on it.
 * Where nothing tells what the answer is, or where it ends, a text says why.
 */
export function readHead(head: string): AnswerHead | string {
  const [first = '', ...lines] = head.replace(/(\r?\n){2}$/, '').split(/\r?\n/);
  const parts = STATUS_LINE.exec(first);
  if (parts === null) return 'it does not begin with a status of HTTP/1.1';
  const [, minor = '', status = '', reason = ''] = parts;

  const fields = unfolded(lines).flatMap(fieldOf);
  const lengths = fields.filter(({ name }) => name === 'content-length');
  const isChunked = fields.some(({ name }) => name === 'transfer-encoding');
  const length = theLength(lengths);
  if (!isChunked && length === null) return `nothing tells where it ends (${quote(lengths)})`;

  const out = fields.filter(({ name }) => name !== 'content-length').map(({ line }) => line);
  const [place] = lengths;
  if (!isChunked && place !== undefined) {
    const line = lengths.length === 1 && place.line.endsWith(`: ${length}`) ? place.line : `content-length: ${length}`;
    out.splice(fields.indexOf(place), 0, line);
  }
  // Whoever sends both may mean either, so that connection carries nothing more.
  if (isChunked && place !== undefined) out.push('connection: close');
  const statusLine = ['HTTP/1.' + (minor === '0' ? '0' : '1'), status, reason.replaceAll(NOT_IN_VALUES, ' ')];
  const text = [statusLine.join(' ').trimEnd(), ...out, '', ''].join('\r\n');
  return { status: Number(status), text, plain: text === head };
}

/** A line that begins with a blank goes on with the one before it. */
function unfolded(lines: readonly string[]): string[] {
  const whole: string[] = [];
  for (const line of lines) {
    if (/^[\t ]/.test(line) && whole.length > 0) whole.push(`${whole.pop()} ${line.trim()}`);
    else whole.push(line);
  }
  return whole;
}

function fieldOf(line: string): Field[] {
  const [, name, value = ''] = FIELD.exec(line) ?? [];
  if (name === undefined) return [];
  const isStrict = line[name.length] === ':' && value.search(NOT_IN_VALUES) === -1;
  return [
    { name: name.toLowerCase(), line: isStrict ? line : `${name}: ${value.replaceAll(NOT_IN_VALUES, ' ').trim()}` },
  ];
}

/** The one length that all of them name; undefined: there is none, null: they differ, or name none. */
function theLength(lengths: readonly Field[]): string | null | undefined {
  const [first, ...others] = lengths.flatMap(({ line }) => line.slice(line.indexOf(':') + 1).split(',')).map(trim);
  if (first === undefined) return undefined;
  return LENGTH.test(first) && others.every((other) => LENGTH.test(other) && Number(other) === Number(first))
    ? first
    : null;
}

function trim(text: string): string {
  return text.trim();
}

function quote(fields: readonly Field[]): string {
  return fields
    .map(({ line }) => line)
    .join(', ')
    .slice(0, QUOTED_CHARACTERS);
}
