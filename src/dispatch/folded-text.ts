/** What is compared of a text, and for each unit of it the index in the text that it comes from. */
export interface Folded {
  readonly text: string;
  readonly origins: readonly number[];
}

/** Letters, digits and pictures. What replaces a character that was lost is none of them. */
const KEPT = /[\p{L}\p{N}]|(?![\0-\x7f\uFFFD])\p{S}/u;
/** What transliteration writes for letters that do not decompose. */
const PLAIN: ReadonlyMap<string, string> = new Map([
  ['ı', 'i'],
  ['ø', 'o'],
  ['ł', 'l'],
  ['đ', 'd'],
  ['ß', 'ss'],
  ['æ', 'ae'],
]);

const ASCII = Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  return /[A-Za-z0-9]/.test(character) ? character.toLowerCase() : '';
});

/**
 * Letters and digits without case, accents, widths, white space and punctuation: whatever line breaks, groups and normal forms
 * a text went through, this is the same. `asciiOnly` leaves out every other character, which an unknown character set may have
 * made anything of.
 */
export function folded(text: string, asciiOnly = false): Folded {
  const origins: number[] = [];
  let kept = '';
  const add = (part: string, origin: number) => {
    kept += part;
    for (let unit = 0; unit < part.length; unit += 1) origins.push(origin);
  };
  for (let at = 0; at < text.length; at += 1) {
    const ascii = ASCII[text.charCodeAt(at)];
    if (ascii !== undefined) {
      if (ascii !== '') add(ascii, at);
      continue;
    }
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (!asciiOnly) add(foldedCharacter(character), at);
    at += character.length - 1;
  }
  return { text: kept, origins };
}

const FOLDED_MAX = 70_000;
const FOLDED = new Map<string, string>();

/** Remembered: what base64 unpacks to has any character, and normalizing one costs more than all else. */
function foldedCharacter(character: string): string {
  const known = FOLDED.get(character);
  if (known !== undefined) return known;
  const kept = foldedAnew(character);
  if (FOLDED.size < FOLDED_MAX) FOLDED.set(character, kept);
  return kept;
}

function foldedAnew(character: string): string {
  let kept = '';
  for (const part of character.normalize('NFKD').toLowerCase().normalize('NFKD')) {
    if (KEPT.test(part)) kept += ASCII[part.charCodeAt(0)] ?? PLAIN.get(part) ?? part;
  }
  return kept;
}

/** Between two digits of one number: no more than a few of these, as in `+90 (555) 111-11-11`. */
const BETWEEN = /^[\s().,/+_\u00a0\u2010-\u2015-]{1,4}$/u;
/** Ends a number, so that its digits are not taken for the next one's. */
const END = '|';

/** The digits of a text, number by number. */
export function digitsOf(text: string): Folded {
  const origins: number[] = [];
  let digits = '';
  let after = 0;
  for (const { 0: character, index } of text.matchAll(/[0-9\uFF10-\uFF19]/g)) {
    if (digits !== '' && index > after && !(index - after <= 4 && BETWEEN.test(text.slice(after, index)))) {
      digits += END;
      origins.push(index);
    }
    digits += character.normalize('NFKC');
    origins.push(index);
    after = index + 1;
  }
  return { text: digits, origins };
}
