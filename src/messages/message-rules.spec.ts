import * as fc from 'fast-check';
import { contentFault, phoneFault } from './message-rules.js';

describe('contentFault', () => {
  it.each([
    ['one letter', 'x'],
    ['160 letters', 'x'.repeat(160)],
    ['160 emoji, which are 320 UTF-16 units', '😀'.repeat(160)],
    ['80 letters with a combining mark each', 'e\u0301'.repeat(80)],
    ['blanks, which the table takes as well', '   '],
    ['line breaks and other control characters', 'a\n\t\u0001b'],
    ['Turkish and Chinese', 'İstanbul’da görüşürüz 你好'],
  ])('takes %s', (_, content) => {
    expect(contentFault(content)).toBeNull();
  });

  it.each([
    ['nothing', '', 'must not be empty'],
    ['161 letters', 'x'.repeat(161), 'got 161'],
    ['161 emoji', '😀'.repeat(161), 'got 161'],
    ['81 letters with a combining mark each, as PostgreSQL counts', 'e\u0301'.repeat(81), 'got 162'],
    ['40 families of seven code points each', '👨‍👩‍👧‍👦'.repeat(40), 'got 280'],
    ['a NUL', 'a\0b', 'NUL'],
    ['a lone high surrogate', 'a\ud83d', 'surrogates'],
    ['a lone low surrogate', '\ude00a', 'surrogates'],
  ])('refuses %s', (_, content, fault) => {
    expect(contentFault(content)).toContain(fault);
  });

  it('counts code points: whole characters are never refused for their width', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }), { maxLength: 200 }),
        (parts) => {
          const points = Array.from(parts.join(''));
          fc.pre(!points.includes('\0'));
          expect(contentFault(points.join('')) === null).toBe(points.length > 0 && points.length <= 160);
        },
      ),
    );
  });
});

describe('phoneFault', () => {
  it.each([
    '+905551111111',
    '905551111111',
    '112',
    '+90 555 111 11 11',
    '(0555) 111-11-11',
    '0555.111.1111',
    '123456789012345',
  ])('takes %j', (phone) => {
    expect(phoneFault(phone)).toBeNull();
  });

  it.each(['905551111111.0', '+905551111111.00', '112.0'])(
    'refuses %j, which a spreadsheet made of a number',
    (phone) => {
      expect(phoneFault(phone)).toContain('not a decimal number');
    },
  );

  it.each([
    '',
    ' ',
    '+',
    '9.05551E+11',
    '9.05E+11',
    '9,05551E+11',
    '12',
    '1234567890123456',
    '++905551111111',
    '90+5551111111',
    '+90555111111a',
    'me@example.com',
    '٠٥٥٥١١١١١١١',
    '+905551111111\n',
    '+90555\t1111111',
    '+90\u0000555',
    `+90${' '.repeat(40)}5551111111`,
  ])('refuses %j', (phone) => {
    expect(phoneFault(phone)).toContain('3 to 15 digits');
  });
});
