/**
 * What a line of text shows as something else than itself: controls, formats without a shape of their own (bidirectional marks,
 * zero-width characters, tags) and the two separators that some terminals take for line ends.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const ALL_HIDDEN = new RegExp(HIDDEN, 'gu');
/** Those of them that JSON does not escape by itself; a line feed ends a line of a log. */
const LEFT_IN_LINES = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu;
/** The two joiners where letters need them: Persian and Indic texts, emoji of several. Among ASCII they only hide. */
const JOINERS = /(?<=[^\0-\x7f])[\u200c\u200d](?=[^\0-\x7f])/gu;

/** The first character of `text` that is not seen as itself, as `U+202E`; null when there is none. */
export function hiddenCharacterOf(text: string): string | null {
  const code = HIDDEN.exec(text.replaceAll(JOINERS, ''))?.[0].codePointAt(0);
  return code === undefined ? null : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Whether all of `text` is blank or invisible, as the Hangul filler is. */
export function isInvisible(text: string): boolean {
  return !/[^\s\p{Default_Ignorable_Code_Point}\u2800]/u.test(text);
}

/** `text` with every hidden character as JSON writes it, `\u202e`: for messages that quote what came from outside. */
export function withHiddenEscaped(text: string): string {
  return HIDDEN.test(text) ? text.replaceAll(ALL_HIDDEN, escaped) : text;
}

/** The same for a line of the log, JSON or readable, in which controls below a space are layout. */
export function lineWithHiddenEscaped(line: string): string {
  return line.replace(LEFT_IN_LINES, escaped);
}

/** `text` on one line, with a blank in the place of hidden characters. */
export function withoutHidden(text: string): string {
  return text.replaceAll(ALL_HIDDEN_ROWS, ' ').trim();
}

const ALL_HIDDEN_ROWS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

function escaped(character: string): string {
  // Of a character beyond the first 65,536, both halves.
  return Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
    .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
    .join('');
}
