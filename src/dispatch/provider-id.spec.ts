import * as fc from 'fast-check';
import { messageIdIn } from './provider-id.js';

describe('messageIdIn', () => {
  it.each([
    ['a text', '{"messageId":"abc"}', 'abc'],
    ['a number', '{"messageId":42}', '42'],
    ['zero', '{"messageId":0}', '0'],
    ['a number beyond 2^53', '{"messageId":1524831183200260097}', '1524831183200260097'],
    ['a number of 23 digits', '{ "messageId" : 12345678901234567890123 , "n":1}', '12345678901234567890123'],
    ['a negative one', '{"messageId":-12345678901234567891}', '-12345678901234567891'],
    ['one with a fraction', '{"messageId":1.50}', '1.50'],
    [
      'the outer one of two numbers',
      '{"other":{"messageId":98765432109876543210},"messageId":12345678901234567891}',
      '12345678901234567891',
    ],
    [
      'the number and not what a text says',
      String.raw`{"text":"\"messageId\":12345678901234567892","messageId":12345678901234567891}`,
      '12345678901234567891',
    ],
    ['the longest text', `{"messageId":"${'x'.repeat(256)}"}`, 'x'.repeat(256)],
    ['a text among 64 KiB of others', `{"pad":"${'p'.repeat(65_000)}","messageId":"abc"}`, 'abc'],
    ['whole emoji', '{"messageId":"😀"}', '😀'],
  ])('reads %s', (_, body, id) => {
    expect(messageIdIn(body)).toBe(id);
  });

  it.each([
    ['HTML', '<p>ok</p>'],
    ['an empty body', ''],
    ['64 KiB of a document that was cut off', `{"messageId":"abc","pad":"${'p'.repeat(65_500)}`],
    ['an array', '[{"messageId":"abc"}]'],
    ['a bare text', '"abc"'],
    ['a bare number', '7'],
    ['null', 'null'],
    ['an object without it', '{"id":"abc"}'],
    ['an object as id', '{"messageId":{"a":1}}'],
    ['a list as id', '{"messageId":["a"]}'],
    [
      'a number of which two could be meant',
      '{"a":{"messageId":12345678901234567891},"messageId":12345678901234567892}',
    ],
    ['a number of 257 digits', `{"messageId":${'1'.repeat(257)}}`],
    ['a boolean', '{"messageId":true}'],
    ['null as id', '{"messageId":null}'],
    ['an empty text', '{"messageId":""}'],
    ['blanks', '{"messageId":" \\t\\n "}'],
    ['a text that is too long', `{"messageId":"${'x'.repeat(257)}"}`],
    ['a NUL, which PostgreSQL refuses', '{"messageId":"a\\u0000b"}'],
    ['a lone surrogate, which PostgreSQL refuses', '{"messageId":"a\\ud800b"}'],
  ])('finds none in %s', (_, body) => {
    expect(messageIdIn(body)).toBeNull();
  });

  it('throws for no body at all', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), (body) => {
        const id = messageIdIn(body);
        expect(id === null || id.length > 0).toBe(true);
      }),
    );
  });
});
