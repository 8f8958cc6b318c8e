/** A list of numbers that may be the bytes, or the characters, of a text. */
interface ByteList {
  readonly from: number;
  readonly to: number;
  readonly bytes: Buffer;
  /** Its numbers as code points. */
  readonly text: string;
}

/** `[65,117,116]`, `65 117 116`; six numbers are no chance. */
const DECIMAL = /\d{1,7}(?:[\s,;]{1,3}\d{1,7}){5,}/g;
/** `0x41, 0x75`, `41:75:74`, `4175 7468`. */
const HEXADECIMAL = /(?:0[xX])?(?:[0-9a-fA-F]{2}){1,2}(?:[\s,;:-]{1,3}(?:0[xX])?(?:[0-9a-fA-F]{2}){1,2}){2,}/g;
const HIGHEST_POINT = 0x10ffff;

/** The lists of numbers in a text. Linear in its length: no two parts of a list share a character. */
export function bytesInLists(text: string): ByteList[] {
  const decimal = [...text.matchAll(DECIMAL)].map((match) => {
    const numbers = match[0].split(/[\s,;]+/).map(Number);
    return list(match, Buffer.from(numbers), numbers);
  });
  const hexadecimal = [...text.matchAll(HEXADECIMAL)].map((match) => {
    const digits = match[0].replaceAll(/0[xX]|[\s,;:-]/g, '');
    return list(match, Buffer.from(digits, 'hex'), []);
  });
  return [...decimal, ...hexadecimal];
}

function list({ 0: { length }, index }: RegExpExecArray, bytes: Buffer, points: readonly number[]): ByteList {
  const legal = points.filter((point) => point <= HIGHEST_POINT);
  return { from: index, to: index + length, bytes, text: legal.map((point) => String.fromCodePoint(point)).join('') };
}
