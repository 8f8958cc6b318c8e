import * as fc from 'fast-check';
import { readRows } from '../../test/support/read-rows.js';
import { CsvFormat } from './csv-format.js';

const PHONE = '+905551111111';
const HEADER = 'recipient_phone,content\n';
const read = (file: string | Buffer, pieceBytes?: number) => readRows(new CsvFormat(), file, pieceBytes);
const good = (content: string) => Buffer.from(`${PHONE},${content}\n`);
const quoted = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const contentsOf = (file: string | Buffer, pieceBytes?: number) =>
  read(file, pieceBytes).taken.map(([, content]) => content);

describe('a CSV file', () => {
  it.each([
    ['LF', `${HEADER}${PHONE},a\n${PHONE},b\n`],
    ['CRLF', `${HEADER}${PHONE},a\n${PHONE},b\n`.replaceAll('\n', '\r\n')],
    ['no end of the last line', `${HEADER}${PHONE},a\n${PHONE},b`],
    ['a byte order mark', `\uFEFF${HEADER}${PHONE},a\n${PHONE},b`],
    ['every field quoted', `"recipient_phone","content"\r\n"${PHONE}","a"\r\n"${PHONE}","b"\r\n`],
    ['the columns the other way round', `content,recipient_phone\na,${PHONE}\nb,${PHONE}\n`],
    ['semicolons', `recipient_phone;content\r\n${PHONE};a\r\n${PHONE};"b"\r\n`],
    ['tabs', `recipient_phone\tcontent\n${PHONE}\ta\n${PHONE}\tb\n`],
    ['a line that names the separator', `\uFEFFsep=;\r\ncontent;recipient_phone\r\na;${PHONE}\r\nb;${PHONE}\r\n`],
    ['another case and blanks in the header', `Recipient_Phone , CONTENT\n${PHONE},a\n${PHONE},b\n`],
    ['a third column without a name or a value', `recipient_phone;content;\n${PHONE};a;\n${PHONE};b\n`],
    ['rows of nothing but commas', `${HEADER}${PHONE},a\n${PHONE},b\n,\n,\r\n,,,\n`],
    ['empty lines', `\n${HEADER}\n\n${PHONE},a\r\n\r\n${PHONE},b\n\n`],
  ])('is read with %s', (_how, file) => {
    const rows = {
      taken: [
        [PHONE, 'a'],
        [PHONE, 'b'],
      ],
      faults: [],
    };
    expect(read(file)).toEqual(rows);
    expect(read(file, 1)).toEqual(rows);
  });

  it.each([
    ['nothing of them', `${PHONE},a\n`],
    ['one of them', 'recipient_phone\n'],
    ['a third one', 'recipient_phone,content,sent_status\n'],
    ['a misspelt one', 'recipient,content\n'],
    ['a broken quote', '"recipient_phone,content\n'],
  ])('whose first line names %s is refused as a whole', (_what, file) => {
    expect(() => read(`${file}${PHONE},a\n`)).toThrow(/must name the two columns/);
  });

  it.each([
    ['UTF-16', Buffer.from(`\uFEFF${HEADER}${PHONE},a\n`, 'utf16le'), 'import.encoding', /UTF-16.*UTF-8/],
    ['UTF-16 without its mark', Buffer.from(`${HEADER}${PHONE},a\n`, 'utf16le'), 'import.encoding', /UTF-16.*UTF-8/],
    ['lines ended by CR', `recipient_phone,content\r${PHONE},a\r`, 'import.line_ends', /CR.*LF/],
    [
      'many lines ended by CR',
      `recipient_phone,content\r${`${PHONE},a\r`.repeat(3_000)}`,
      'import.line_ends',
      /CR.*LF/,
    ],
    [
      'a row in the place of the header',
      `${PHONE};a\n`,
      'import.header',
      /2 columns separated by a semicolon, none named/,
    ],
    ['one column', 'phone\n', 'import.header', /one column, without a comma, a semicolon or a tab/],
  ])('with %s is refused by that name, and nothing of it is quoted', (_what, file, code, told) => {
    const refusal = () => read(file);
    expect(refusal).toThrow(told);
    expect(refusal).toThrow(expect.objectContaining({ code }) as Error);
    expect(refusal).not.toThrow(PHONE);
  });

  it('with a semicolon in a field that is not quoted loses that row alone', () => {
    const file = `recipient_phone;content\n${PHONE};a;b\n${PHONE};"c;d"\n`;
    expect(contentsOf(file)).toEqual(['c;d']);
    expect(read(file).faults).toEqual([expect.objectContaining({ line: 2 })]);
  });

  it.each([
    ['one column', PHONE, '', 'has 1 column instead of 2'],
    ['a comma that is not quoted', `${PHONE},a,b`, '', /has 3 columns instead of 2/],
    ['161 characters', `${PHONE},${'x'.repeat(161)}`, 'content', /at most 160 characters, got 161/],
    ['an empty text', `${PHONE},`, 'content', 'must not be empty'],
    ['no phone number', ',a', 'recipient_phone', /3 to 15 digits/],
    ['NUL', `${PHONE},a\0b`, 'content', /NUL/],
    ['text after a closing quote', `${PHONE},"a"b`, '', /after a closing quote/],
    ['a quote in the middle of a field', `${PHONE},a"b`, '', /not quoted/],
    ['a quote that opens and never closes', `${PHONE},"a`, '', /never closed|longer/],
    ['bytes that are not UTF-8', Buffer.from(`${PHONE},\xff`, 'latin1'), 'content', 'is not valid UTF-8'],
    ['bytes that are not UTF-8 in quotes', Buffer.from(`${PHONE},"\xe9"`, 'latin1'), 'content', 'is not valid UTF-8'],
    ['a line that is too long', `${PHONE},${'x'.repeat(17_000)}`, '', 'is longer than 16384 bytes'],
    ['a quoted field that is too long', `${PHONE},"${'x'.repeat(17_000)}"`, '', 'is longer than 16384 bytes'],
  ])('with %s loses that row alone, and tells its line', (_what, bad, field, reason) => {
    const file = Buffer.concat([Buffer.from(HEADER), good('öne'), Buffer.from(bad), Buffer.from('\n'), good('thrée')]);
    for (const pieceBytes of [1, 7, 64 * 1024]) {
      const { taken, faults } = read(file, pieceBytes);
      expect(taken.map(([, content]) => content)).toEqual(['öne', 'thrée']);
      expect(faults).toEqual([{ line: 3, field, reason: expect.stringMatching(reason) as string }]);
    }
  });

  it('counts the lines within a quoted field', () => {
    const file = `${HEADER}${PHONE},"two\r\nlines"\r\n${PHONE},"three\n\nlines"\n${PHONE},\n`;
    expect(contentsOf(file)).toEqual(['two\r\nlines', 'three\n\nlines']);
    expect(read(file).faults).toEqual([{ line: 7, field: 'content', reason: 'must not be empty' }]);
  });

  it('reads the rows after an open quote, though nothing closes it for longer than a record may be', () => {
    const many = Array.from({ length: 2000 }, (_, index) => `${PHONE},row ${index}`);
    const file = `${HEADER}${PHONE},"open\n${many.join('\n')}\n`;
    for (const pieceBytes of [50, 64 * 1024, 1024 * 1024]) {
      const { taken, faults } = read(file, pieceBytes);
      expect(taken).toHaveLength(2000);
      expect(faults).toEqual([{ line: 2, field: '', reason: 'is longer than 16384 bytes' }]);
    }
  });

  it('reads back whatever was written as RFC 4180 has it, in pieces of any size', () => {
    const content = fc
      .string({
        unit: fc.constantFrom('a', 'ö', '😀', ',', '"', '\n', '\r', ' ', '\t', '\\'),
        minLength: 1,
        maxLength: 20,
      })
      .filter((text) => text !== '');
    fc.assert(
      fc.property(fc.array(content), fc.integer({ min: 1, max: 80 }), fc.boolean(), (contents, pieceBytes, crlf) => {
        const end = crlf ? '\r\n' : '\n';
        const file = `recipient_phone,content${end}${contents.map((text) => `${PHONE},${quoted(text)}${end}`).join('')}`;
        expect(read(file, pieceBytes)).toEqual({ taken: contents.map((text) => [PHONE, text]), faults: [] });
      }),
    );
  });
});
