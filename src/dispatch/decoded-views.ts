import { isUtf8 } from 'node:buffer';
import { HTML_ENTITIES } from './html-entities.js';
import { MappedText } from './mapped-text.js';

/** Encodings within encodings, as in base64 of JSON in a form. */
const MAX_DEPTH = 4;
/** Of each packed encoding: what ordinary words decode to is noise, and grows. */
const MAX_UNPACKED = 2;
/** Nothing that is not made to be so has more readings. */
const MAX_VIEWS = 40;

type Decoder = (view: MappedText) => MappedText | null;

/**
 * Everything that a text may be read as: itself, and what is left when the escapes of JSON, programming languages, URLs and HTML,
 * quoted-printable, base64 and hexadecimal are decoded, several times over. null when it has too many readings.
 */
export function decodedViews(text: string): MappedText[] | null {
  const views = [MappedText.of(text)];
  const known = new Set([text]);
  let level = [{ view: MappedText.of(text), unpacked: 0 }];
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth += 1) {
    const next: typeof level = [];
    for (const { view, unpacked } of level) {
      for (const decode of DECODERS) {
        const packs = decode === unpack ? 1 : 0;
        if (unpacked + packs > MAX_UNPACKED) continue;
        const decoded = decode(view);
        if (decoded === null || known.has(decoded.text)) continue;
        if (views.length === MAX_VIEWS) return null;
        known.add(decoded.text);
        views.push(decoded);
        next.push({ view: decoded, unpacked: unpacked + packs });
      }
    }
    level = next;
  }
  return views;
}

const HEX = '[0-9a-fA-F]';
const ESCAPES = new RegExp(
  [
    String.raw`(?<unit>(?:\\u|%u)${HEX}{4})`,
    String.raw`(?<point>\\u\{${HEX}{1,6}\}|\\U${HEX}{8})`,
    String.raw`(?<bytes>(?:%${HEX}{2})+|(?:\\x${HEX}{2})+)`,
    String.raw`(?<octal>(?:\\[0-3][0-7]{2})+)`,
    String.raw`\\(?<literal>[^\sA-Za-z0-9])`,
    String.raw`(?<control>\\[bfnrtv])`,
    String.raw`&#(?:[xX](?<hexadecimal>${HEX}{1,6})|(?<decimal>\d{1,7}));?`,
    String.raw`&(?<entity>[A-Za-z]{2,8}\d{0,2});`,
  ].join('|'),
  'g',
);

const unescape: Decoder = (view) => {
  if (!/[\\%&]/.test(view.text)) return null;
  return replaced(view, ESCAPES, (match) => {
    const { unit, point, bytes, octal, literal, control, hexadecimal, decimal, entity } = match.groups ?? {};
    if (unit !== undefined) return String.fromCharCode(parseInt(unit.slice(2), 16));
    if (point !== undefined) return characterOf(parseInt(point.replaceAll(/\\[uU]|[{}]/g, ''), 16));
    if (bytes !== undefined) return bytesOf(bytes, bytes.startsWith('%') ? 3 : 4, 16);
    if (octal !== undefined) return bytesOf(octal, 4, 8);
    if (literal !== undefined) return literal;
    if (control !== undefined) return /[nr]/.test(control) ? '\n' : ' ';
    if (hexadecimal !== undefined) return characterOf(parseInt(hexadecimal, 16));
    if (decimal !== undefined) return characterOf(Number(decimal));
    return HTML_ENTITIES.get(entity ?? '') ?? null;
  });
};

/** The text with one level of escapes decoded. */
export function unescaped(text: string): string {
  return unescape(MappedText.of(text))?.text ?? text;
}

const QUOTED = new RegExp(String.raw`=[ \t]?\r?\n|(?<bytes>(?:=${HEX}{2})+)`, 'g');

const unquote: Decoder = (view) => {
  if (!view.text.includes('=')) return null;
  return replaced(view, QUOTED, ({ groups }) =>
    groups?.['bytes'] === undefined ? '' : bytesOf(groups['bytes'], 3, 16),
  );
};

/** Lines of base64, or of hexadecimal; six digits hold four characters. */
const PACKED = /[A-Za-z0-9+/_-]+(?:\r?\n[ \t]*[A-Za-z0-9+/_-]+)*/g;
const PACKED_LENGTH_MIN = 6;
const HEXADECIMAL = /^[0-9a-fA-F]+$/;

/** What is not packed is left out. Where in a run base64 begins is not known, hence four readings of each. */
const unpack: Decoder = (view) => {
  const built = MappedText.build((builder) => {
    for (const match of view.text.matchAll(PACKED)) {
      const digits = match[0].replaceAll(/\s+/g, '');
      if (digits.length < PACKED_LENGTH_MIN) continue;
      const readings = [0, 1, 2, 3].map((skipped) => Buffer.from(digits.slice(skipped), 'base64').toString());
      if (HEXADECIMAL.test(digits)) readings.push(...[0, 1].map((skipped) => hexOf(digits.slice(skipped))));
      const start = view.startOf(match.index);
      const end = view.endOf(match.index + match[0].length - 1);
      for (const reading of readings) builder.append(`${reading}\0|\0`, start, end);
    }
  });
  return built.text === '' ? null : built;
};

const LINE_BREAK = /[\r\n]\s*/g;

/** Lines may be broken in the middle of an escape. */
const join: Decoder = (view) => replaced(view, LINE_BREAK, () => '');

const DECODERS: readonly Decoder[] = [join, unescape, unquote, unpack];

function hexOf(digits: string): string {
  return Buffer.from(digits, 'hex').toString();
}

/** null when there is nothing to replace; a match for which `replacement` has none stays. */
function replaced(
  view: MappedText,
  pattern: RegExp,
  replacement: (match: RegExpExecArray) => string | null,
): MappedText | null {
  let copied = 0;
  const built = MappedText.build((builder) => {
    for (const match of view.text.matchAll(pattern)) {
      const decoded = replacement(match);
      if (decoded === null) continue;
      const end = match.index + match[0].length;
      builder.copy(view, copied, match.index);
      builder.append(decoded, view.startOf(match.index), view.endOf(end - 1));
      copied = end;
    }
    if (copied > 0) builder.copy(view, copied, view.text.length);
  });
  return copied === 0 ? null : built;
}

function characterOf(point: number): string | null {
  return point <= 0x10ffff ? String.fromCodePoint(point) : null;
}

/** Bytes of `width` characters each, as UTF-8 or else as Latin-1. */
function bytesOf(escapes: string, width: number, radix: 8 | 16): string {
  const digits = radix === 16 ? 2 : 3;
  const bytes = Buffer.alloc(escapes.length / width);
  for (let at = 0; at < bytes.length; at += 1) {
    bytes[at] = parseInt(escapes.slice((at + 1) * width - digits, (at + 1) * width), radix);
  }
  return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
}
