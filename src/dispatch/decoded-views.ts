import { isUtf8 } from 'node:buffer';
import { bytesInLists } from './byte-lists.js';
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
 * quoted-printable, base64, hexadecimal and lists of bytes are decoded, several times over; in UTF-8, UTF-16, and UTF-8 that was
 * read as Western European. null when it has too many readings.
 */
export function decodedViews(text: string): MappedText[] | null {
  const wide = widened(MappedText.of(text));
  const views = [MappedText.of(text), ...(wide === null ? [] : [wide])];
  const known = new Set(views.map((view) => view.text));
  let level = views.map((view) => ({ view, unpacked: 0 }));
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
/** The bytes 0x80 to 0x9f as Windows-1252 has them. */
const WINDOWS_1252 = new TextDecoder('windows-1252').decode(Uint8Array.from({ length: 32 }, (_, at) => 0x80 + at));
/** What the second and later bytes of a UTF-8 character become where they are read as Western European. */
const TAIL = `[\\x80-\\xbf${WINDOWS_1252.replaceAll(/[\x80-\x9f]/g, '')}]`;
const ESCAPES = new RegExp(
  [
    String.raw`(?<unit>(?:\\u|%u)${HEX}{4})`,
    String.raw`(?<point>\\u\{0*${HEX}{1,6}\}|\\U${HEX}{8})`,
    String.raw`(?<bytes>(?:%${HEX}{2})+|(?:\\x${HEX}{2})+)`,
    String.raw`(?<octal>(?:\\[0-3][0-7]{2})+)`,
    String.raw`\\(?<literal>[^\sA-Za-z0-9])`,
    String.raw`(?<control>\\[bfnrtv])`,
    String.raw`&#(?:[xX]0*(?<hexadecimal>${HEX}{1,6})|0*(?<decimal>\d{1,7}));?`,
    String.raw`&(?<entity>[A-Za-z]{2,8}\d{0,2});`,
    `(?<misread>[\\xc2-\\xdf]${TAIL}|[\\xe0-\\xef]${TAIL}{2}|[\\xf0-\\xf4]${TAIL}{3})`,
  ].join('|'),
  'g',
);

const unescape: Decoder = (view) => {
  if (!/[\\%&\xc2-\xf4]/.test(view.text)) return null;
  return replaced(view, ESCAPES, (match) => {
    const { unit, point, bytes, octal, literal, control, hexadecimal, decimal, entity, misread } = match.groups ?? {};
    if (unit !== undefined) return String.fromCharCode(parseInt(unit.slice(2), 16));
    if (point !== undefined) return characterOf(parseInt(point.replaceAll(/\\[uU]|[{}]/g, ''), 16));
    if (bytes !== undefined) return bytesOf(bytes, bytes.startsWith('%') ? 3 : 4, 16);
    if (octal !== undefined) return bytesOf(octal, 4, 8);
    if (literal !== undefined) return literal;
    if (control !== undefined) return /[nr]/.test(control) ? '\n' : ' ';
    if (hexadecimal !== undefined) return characterOf(parseInt(hexadecimal, 16));
    if (decimal !== undefined) return characterOf(Number(decimal));
    if (misread !== undefined) return wellRead(misread);
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
      const packed = [0, 1, 2, 3].map((skipped) => Buffer.from(digits.slice(skipped), 'base64'));
      if (HEXADECIMAL.test(digits)) packed.push(...[0, 1].map((skipped) => Buffer.from(digits.slice(skipped), 'hex')));
      const start = view.startOf(match.index);
      const end = view.endOf(match.index + match[0].length - 1);
      for (const reading of packed.flatMap(readingsOf)) builder.append(`${reading}\0|\0`, start, end);
    }
    for (const { from, to, bytes, text } of bytesInLists(view.text)) {
      const [start, end] = [view.startOf(from), view.endOf(to - 1)];
      for (const reading of [text, ...readingsOf(bytes)]) builder.append(`${reading}\0|\0`, start, end);
    }
  });
  return built.text === '' ? null : built;
};

const BREAK = /[\r\n]\s*|<!\[CDATA\[|\]\]>|<[^<>]{1,200}>/g;

/** Lines may be broken in the middle of an escape, and tags (`<wbr>`) stand in the middle of a word. */
const join: Decoder = (view) => replaced(view, BREAK, () => '');

const DECODERS: readonly Decoder[] = [join, unescape, unquote, unpack];

/** Of bytes: as UTF-8, and as UTF-16 in either order, as gateways of the phone network write it. */
function readingsOf(bytes: Buffer): string[] {
  const wide = bytes.subarray(0, bytes.length & ~1);
  return [bytes.toString(), wide.toString('utf16le'), Buffer.from(wide).swap16().toString('utf16le')];
}

function wellRead(misread: string): string {
  return Buffer.from(Array.from(misread).map(byteOf)).toString();
}

/** The byte that was read as this Western European character. */
function byteOf(character: string): number {
  const at = WINDOWS_1252.indexOf(character);
  return at === -1 ? character.charCodeAt(0) : 0x80 + at;
}

const SINGLE_BYTES = new RegExp(`^[\\0-\\xff${WINDOWS_1252}]*$`);
// What a text in one byte per character has no use for.
// oxlint-disable-next-line no-control-regex
const HALVES = /[\0-\x08\x0e-\x1f\x80-\xff]/;

/** UTF-16 that nothing declares arrives as one character for each byte. Read in both orders; null when it cannot be that. */
function widened(view: MappedText): MappedText | null {
  const { text } = view;
  if (text.length < 2 || !HALVES.test(text) || !SINGLE_BYTES.test(text)) return null;
  return MappedText.build((builder) => {
    for (const [high, low] of [
      [1, 0],
      [0, 1],
    ] as const) {
      for (let at = 0; at + 1 < text.length; at += 2) {
        const code = (byteOf(text.charAt(at + high)) << 8) | byteOf(text.charAt(at + low));
        builder.append(String.fromCharCode(code), at, at + 2);
      }
      builder.append('\0|\0', text.length - 1, text.length);
    }
  });
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
