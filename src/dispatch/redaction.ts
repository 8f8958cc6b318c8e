import { decodedViews, unescaped } from './decoded-views.js';
import { digitsOf, folded, type Folded } from './folded-text.js';
import { GramIndex } from './gram-index.js';
import type { MappedText } from './mapped-text.js';

/** What a receiver was told and may echo. */
export interface Told {
  /** Keys and secrets. */
  readonly credentials: readonly string[];
  /** What may be a token in the URL, or the name of an account, which stands in the ids that a provider gives: those are kept. */
  readonly inUrl?: readonly string[];
  /** What was made with them for this one request; asked only where an answer is searched. */
  readonly signatures?: () => readonly string[];
  readonly to: string;
  readonly content: string;
}

export const MASK = '***';
/** What is said instead of a text that may hold anything. */
const WITHHELD = '(withheld: it is encoded in more ways than can be searched for what must not be kept)';

/** Shorter texts stand in ordinary words. They are masked where they stand alone. */
const TELLING_LENGTH = 4;
/** So many letters and digits in a row are a part of a credential, or of a content, and no chance. */
const CREDENTIAL_PART = 8;
const CONTENT_PART = 10;
const PHONE_PART = 7;

/**
 * The same text, up to `end`, without credentials, recipient and content, or parts of them, whichever way they are written and
 * encoded. Linear in the length of the text.
 */
export function redact(text: string, told: Told, end = text.length): string {
  const finder = new Finder();
  for (const credential of [...told.credentials, ...(told.inUrl ?? []), ...(told.signatures?.() ?? [])])
    finder.addText(credential, CREDENTIAL_PART);
  finder.addText(told.content, CONTENT_PART);
  finder.addPhone(told.to);
  return masked(text, finder, end);
}

function masked(text: string, finder: Finder, end: number): string {
  const views = decodedViews(text);
  if (views === null) return WITHHELD;
  const hidden = new Uint8Array(text.length);
  for (const view of views) {
    let last = [0, 0];
    finder.find(view, (from, to) => {
      const part = [view.startOf(from), view.endOf(to - 1)];
      // A packed text is one part of the source, however often something is found in it.
      if (part[0] === last[0] && part[1] === last[1]) return;
      last = part;
      hidden.fill(1, ...part);
    });
  }
  const parts: string[] = [];
  for (let at = 0; at < end;) {
    const isHidden = hidden[at] === 1;
    const change = hidden.indexOf(isHidden ? 0 : 1, at);
    const next = change === -1 ? end : Math.min(change, end);
    parts.push(isHidden ? MASK : text.slice(at, next));
    at = next;
  }
  return parts.join('');
}

type OnFound = (start: number, end: number) => void;

/** Looks for texts and numbers in one reading of a text. */
class Finder {
  private readonly parts = new Map<number, GramIndex>();
  private readonly numbers = new GramIndex(PHONE_PART);
  /** Those with too few letters to be told by them. */
  private readonly asWritten = new Set<string>();

  addText(secret: string, partLength: number): void {
    // One that looks like an escape is decoded with what it stands in.
    for (const reading of new Set([secret, unescaped(secret), unescaped(unescaped(secret))])) {
      const { text } = folded(reading);
      if (text.length < TELLING_LENGTH) this.asWritten.add(reading);
      for (const part of new Set([text, folded(reading, true).text])) {
        if (part.length >= TELLING_LENGTH) this.partsOf(Math.min(partLength, part.length)).add(part);
      }
    }
  }

  addPhone(phone: string): void {
    const digits = phone.replaceAll(/\D/g, '');
    this.numbers.add(digits);
    if (digits.length < PHONE_PART) this.asWritten.add(digits).add(phone);
  }

  find(view: MappedText, onFound: OnFound): void {
    const { text } = view;
    if (this.parts.size > 0) {
      const whole = folded(text);
      const inAscii = folded(text, true);
      for (const parts of this.parts.values()) {
        findParts(parts, whole, onFound);
        if (inAscii.text !== whole.text) findParts(parts, inAscii, onFound);
      }
    }
    findParts(this.numbers, digitsOf(text), (start, end) => onFound(...wholeNumber(text, start, end)));
    for (const secret of this.asWritten) findAsWritten(text, secret, onFound);
  }

  private partsOf(length: number): GramIndex {
    const parts = this.parts.get(length) ?? new GramIndex(length);
    this.parts.set(length, parts);
    return parts;
  }
}

/** Parts that overlap are found as one. */
function findParts(parts: GramIndex, { text, origins }: Folded, onFound: OnFound): void {
  let start = -1;
  let end = -1;
  const tell = () => {
    if (start >= 0) onFound(origins[start] ?? 0, (origins[end - 1] ?? 0) + 1);
  };
  parts.find(text, (index) => {
    if (index > end) {
      tell();
      start = index;
    }
    end = index + parts.length;
  });
  tell();
}

/** With the digits and the + that stand right before and after it: what is left of a number tells too much. */
function wholeNumber(text: string, from: number, to: number): [number, number] {
  let [start, end] = [from, to];
  while (isDigit(text[start - 1])) start -= 1;
  while (isDigit(text[end])) end += 1;
  if (text[start - 1] === '+') start -= 1;
  return [start, end];
}

function findAsWritten(text: string, secret: string, onFound: OnFound): void {
  if (secret === '') return;
  for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + secret.length)) {
    const end = at + secret.length;
    const isAlone = !isOfWord(text[at - 1]) && !isOfWord(text[end]);
    if (isAlone || secret.length >= TELLING_LENGTH) onFound(at, end);
  }
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9';
}

function isOfWord(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}]/u.test(character);
}
