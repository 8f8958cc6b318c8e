import { readRows } from '../../test/support/read-rows.js';
import { NdjsonFormat } from './ndjson-format.js';

const PHONE = '+905551111111';
const row = (content: unknown, phone: unknown = PHONE) => JSON.stringify({ recipient_phone: phone, content });
const good = (content: string) => Buffer.from(`${row(content)}\n`);
const padded = (bytes: number) => `${' '.repeat(bytes - row('a').length)}${row('a')}`;
const read = (file: string | Buffer, pieceBytes?: number) => readRows(new NdjsonFormat(), file, pieceBytes);

describe('an NDJSON file', () => {
  it.each([
    ['LF', `${row('a')}\n${row('b')}\n`],
    ['CRLF', `${row('a')}\r\n${row('b')}\r\n`],
    ['no end of the last line', `${row('a')}\n${row('b')}`],
    ['a byte order mark', `\uFEFF${row('a')}\n${row('b')}\n`],
    ['empty lines and lines of blanks', `\n${row('a')}\n \t\r\n\n${row('b')}\n\n`],
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

  it('keeps every character of a text', () => {
    const contents = ['tab\t "quote" \\ back', 'line\nbreak\r\n', '😀'.repeat(160), 'İstanbul'];
    const { taken, faults } = read(contents.map((content) => row(content)).join('\n'));
    expect(faults).toEqual([]);
    expect(taken.map(([, content]) => content)).toEqual(contents);
  });

  it.each([
    ['broken JSON', '{"recipient_phone":', '', 'is not valid JSON'],
    ['a list', '[]', '', 'is not an object with recipient_phone and content'],
    ['null', 'null', '', 'is not an object with recipient_phone and content'],
    ['an unknown field', '{"recipient_phone":"+905551111111","content":"a","colour":1}', 'colour', /not a field/],
    ['__proto__', '{"recipient_phone":"+905551111111","content":"a","__proto__":1}', '__proto__', /not a field/],
    ['a missing field', '{"recipient_phone":"+905551111111"}', 'content', 'is missing'],
    ['a number for a text', row(7), 'content', 'must be a text'],
    ['no phone number', row('a', 'nobody'), 'recipient_phone', /3 to 15 digits/],
    ['161 characters', row('x'.repeat(161)), 'content', /at most 160 characters, got 161/],
    ['an empty text', row(''), 'content', 'must not be empty'],
    ['NUL', row('a\0b'), 'content', /NUL/],
    ['a lone surrogate', String.raw`{"recipient_phone":"+905551111111","content":"\ud800"}`, 'content', /surrogates/],
    ['a line that is too long', row('x'.repeat(17_000)), '', 'is longer than 16384 bytes'],
    ['bytes that are not UTF-8', Buffer.from(row('\xff'), 'latin1'), '', 'is not valid UTF-8'],
  ])('with %s loses that row alone, and tells its line', (_what, bad, field, reason) => {
    const file = Buffer.concat([good('öne'), Buffer.from(bad), Buffer.from('\n'), good('thrée')]);
    for (const pieceBytes of [1, 7, 64 * 1024]) {
      const { taken, faults } = read(file, pieceBytes);
      expect(taken.map(([, content]) => content)).toEqual(['öne', 'thrée']);
      expect(faults).toEqual([{ line: 2, field, reason: expect.stringMatching(reason) as string }]);
    }
  });

  it('names each field of a row that is bad in both', () => {
    expect(read(row('', '')).faults.map(({ line, field }) => [line, field])).toEqual([
      [1, 'recipient_phone'],
      [1, 'content'],
    ]);
  });

  it('takes a line of 16384 bytes and refuses one of 16385, in whatever pieces it comes', () => {
    for (const pieceBytes of [1000, 64 * 1024]) {
      const { taken, faults } = read(`${padded(16_384)}\n${padded(16_385)}\n${row('b')}\n`, pieceBytes);
      expect(taken.map(([, content]) => content)).toEqual(['a', 'b']);
      expect(faults).toEqual([{ line: 2, field: '', reason: 'is longer than 16384 bytes' }]);
    }
  });
});
