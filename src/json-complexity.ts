/** A list of messages has three levels; nothing that the service takes has more than five. */
export const MAX_JSON_DEPTH = 32;
/** A list of 1,000 messages has 2,000 values. */
export const MAX_JSON_VALUES = 10_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
// `[` and `{`, `]` and `}`: they differ in one bit.
const BRACE_BIT = 0x20;
const OPENING = 0x7b;
const CLOSING = 0x7d;

/**
 * Says why this JSON would take long to parse and to check, or null. Reads the bytes once, without parsing them: brackets by the
 * million and objects with 100,000 fields keep the process busy for a second and more, and everybody else waits.
 * What is not JSON gets no reason here; the parser has one.
 */
export function tooComplex(json: Buffer): string | null {
  let depth = 0;
  let values = 1;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at] ?? 0;
    if (byte === QUOTE) at = endOfText(json, at);
    else if (byte === COMMA) {
      values += 1;
      if (values > MAX_JSON_VALUES)
        return `has more than ${MAX_JSON_VALUES} values: a list takes 1,000 messages at most`;
    } else if ((byte | BRACE_BIT) === OPENING) {
      depth += 1;
      if (depth > MAX_JSON_DEPTH) return `is nested deeper than ${MAX_JSON_DEPTH} levels`;
    } else if ((byte | BRACE_BIT) === CLOSING) depth -= 1;
  }
  return null;
}

function endOfText(json: Buffer, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at;
}
