import * as fc from 'fast-check';
import { fromCursor, toCursor } from './sent-cursor.js';

const cursorOf = (text: string) => Buffer.from(text).toString('base64url');

/** A TIMESTAMP as PostgreSQL writes it, with 0 to 6 decimals. */
const timestamp = fc
  .tuple(
    fc.date({ min: new Date('1000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }),
    fc.stringMatching(/^(\.\d{1,6})?$/),
  )
  .map(([date, decimals]) => date.toISOString().slice(0, 19).replace('T', ' ') + decimals);

describe('cursors of sent messages', () => {
  it('come back as the position that was written', () => {
    const position = fc.record({
      sentAt: fc.oneof(timestamp, fc.constantFrom('-infinity', 'infinity')),
      id: fc.nat(Number.MAX_SAFE_INTEGER),
    });
    fc.assert(fc.property(position, (place) => expect(fromCursor(toCursor(place))).toEqual(place)));
  });

  it.each([
    '10000-01-01 00:00:00',
    '12025-02-28 12:00:00.5',
    '294276-12-31 23:59:59.999999',
    '0044-03-15 00:00:00.000000 BC',
    '0001-02-29 00:00:00 BC',
    '4714-11-24 00:00:00 BC',
    '-infinity',
  ])('hold every time that PostgreSQL has: %s', (sentAt) => {
    expect(fromCursor(toCursor({ sentAt, id: 7 }))).toEqual({ sentAt, id: 7 });
  });

  it('are safe in a URL', () => {
    expect(toCursor({ sentAt: '2025-07-20 14:36:51.123456', id: 9_007_199_254_740_991 })).toMatch(/^[\w-]+$/);
  });

  it.each([
    ['nothing', ''],
    ['no base64', '%%%'],
    ['half of one', toCursor({ sentAt: '2025-07-20 14:36:51', id: 12 }).slice(0, 12)],
    ['no id', cursorOf('2025-07-20 14:36:51,')],
    ['an id beyond all', cursorOf('2025-07-20 14:36:51,99999999999999999999')],
    ['a time in words', cursorOf('now,1')],
    ['a thirteenth month', cursorOf('2025-13-01 00:00:00,1')],
    ['a twenty-fifth hour', cursorOf('2025-07-20 25:00:00,1')],
    ['a T and a Z', cursorOf('2025-07-20T14:36:51Z,1')],
    ['SQL behind it', cursorOf("2025-07-20 14:36:51,1'; DROP TABLE messages; --")],
    ['a second line', cursorOf('2025-07-20 14:36:51,1\n2')],
  ])('are refused when they hold %s', (_, cursor) => {
    expect(fromCursor(cursor)).toBeNull();
  });

  it('are never misread: what was not written here is refused or harmless', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.string().map(cursorOf)), (text) => {
        const place = fromCursor(text);
        expect(place === null || Number.isInteger(place.id)).toBe(true);
      }),
    );
  });

  it.each([
    '2025-02-30 00:00:00',
    '2025-04-31 12:00:00',
    '2100-02-29 00:00:00',
    '10001-02-29 00:00:00',
    '0000-01-01 00:00:00',
    '294277-01-01 00:00:00',
    '0000-01-01 00:00:00 BC',
    '0002-02-29 00:00:00 BC',
    '4714-11-23 23:59:59 BC',
    '4715-12-01 00:00:00 BC',
  ])('are refused for a day that PostgreSQL lacks: %s', (day) => {
    expect(fromCursor(cursorOf(`${day},1`))).toBeNull();
  });
});
