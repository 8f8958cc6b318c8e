import { CsvFormat } from './csv-format.js';
import { NdjsonFormat } from './ndjson-format.js';
import type { RecordFormat } from './record-format.js';
import { RowReader, type FilePosition } from './row-reader.js';

const PHONE = '+905551111111';
const FORMATS: readonly (readonly [string, () => RecordFormat, string])[] = [
  [
    'CSV',
    () => new CsvFormat(),
    `\uFEFFcontent,recipient_phone\r\n"two\nlinés",${PHONE}\r\n,${PHONE}\r\n\r\n"a ""b""",${PHONE}\r\nc,${PHONE}`,
  ],
  [
    'NDJSON',
    () => new NdjsonFormat(),
    ['two\nlinés', '', 'a "b"', 'c'].map((content) => JSON.stringify({ recipient_phone: PHONE, content })).join('\n'),
  ],
];

const into = (events: string[]) => ({
  take: (_phone: string, content: string) => events.push(content),
  refuse: ([fault]: readonly { line: number; field: string }[]) => events.push(`${fault?.line} ${fault?.field}`),
});

describe.each(FORMATS)('the position in a %s file', (_name, newFormat, text) => {
  const file = Buffer.from(text);
  it('is one from which another reader reads exactly the rest, wherever the first one stopped', () => {
    const whole: string[] = [];
    const all = new RowReader(newFormat(), into(whole));
    all.push(file);
    all.end();
    expect(whole).toHaveLength(4);
    for (let stop = 0; stop <= file.length; stop += 1) {
      const events: string[] = [];
      const format = newFormat();
      const first = new RowReader(format, into(events));
      first.push(file.subarray(0, stop));
      const position = first.position as FilePosition;
      const second = new RowReader(format, into(events), position);
      second.push(file.subarray(position.offset));
      second.end();
      expect(events).toEqual(whole);
    }
  });
});

it('has no position in the middle of a line that is too long', () => {
  const reader = new RowReader(new NdjsonFormat(), { take: () => undefined, refuse: () => undefined });
  reader.push(Buffer.alloc(20_000, 'x'));
  expect(reader.position).toBeNull();
  reader.push(Buffer.from('\n'));
  expect(reader.position).toEqual({ offset: 20_001, line: 2 });
});
