import * as fc from 'fast-check';
import { readHead } from './answer-head.js';

const read = (head: string) => {
  const answer = readHead(head);
  if (typeof answer === 'string') throw new Error(answer);
  return answer;
};

describe('the head of an answer', () => {
  it.each([
    'HTTP/1.1 202 Accepted\r\ncontent-type: text/plain\r\nContent-Length: 2\r\n\r\n',
    'HTTP/1.1 202\r\n\r\n',
    'HTTP/1.0 200 OK\r\nX:\r\n\r\n',
    'HTTP/1.1 503 \xe9\r\ntransfer-encoding: chunked\r\nset-cookie: a=b; c\r\nset-cookie: d\r\n\r\n',
  ])('is left as it is where it is strict: %j', (head) => {
    expect(readHead(head)).toEqual({ status: Number(head.slice(9, 12)), text: head, plain: true });
  });

  it.each([
    ['lines that end by LF', 'HTTP/1.1 202 Ok\nA: b\nC: d\n\n', 'HTTP/1.1 202 Ok\r\nA: b\r\nC: d\r\n\r\n'],
    [
      'equal lengths',
      'HTTP/1.1 202 Ok\r\nContent-Length: 5\r\nA: b\r\ncontent-length: 05\r\n\r\n',
      'HTTP/1.1 202 Ok\r\ncontent-length: 5\r\nA: b\r\n\r\n',
    ],
    [
      'a list of equal lengths',
      'HTTP/1.1 202 Ok\r\ncontent-length: 5, 5\r\n\r\n',
      'HTTP/1.1 202 Ok\r\ncontent-length: 5\r\n\r\n',
    ],
    [
      'a length beside chunks',
      'HTTP/1.1 202 Ok\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n',
      'HTTP/1.1 202 Ok\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n',
    ],
    ['a blank before the colon', 'HTTP/1.1 202 Ok\r\nA : b\r\n\r\n', 'HTTP/1.1 202 Ok\r\nA: b\r\n\r\n'],
    ['a folded line', 'HTTP/1.1 202 Ok\r\nA: b\r\n\tc\r\n\r\n', 'HTTP/1.1 202 Ok\r\nA: b c\r\n\r\n'],
    [
      'a line that is no field',
      'HTTP/1.1 202 Ok\r\nno field\r\nA b: c\r\nD: e\r\n\r\n',
      'HTTP/1.1 202 Ok\r\nD: e\r\n\r\n',
    ],
    ['a NUL in a value', 'HTTP/1.1 202 O\0k\r\nA: b\0c\r\n\r\n', 'HTTP/1.1 202 O k\r\nA: b c\r\n\r\n'],
    ['a later minor version', 'HTTP/1.3 202 Ok\r\n\r\n', 'HTTP/1.1 202 Ok\r\n\r\n'],
  ])('is rewritten strictly: %s', (_name, head, text) => {
    expect(readHead(head)).toEqual({ status: 202, text, plain: false });
  });

  it.each([
    [
      'two lengths that differ',
      'HTTP/1.1 202 Ok\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n',
      'content-length: 6',
    ],
    ['a length that is none', 'HTTP/1.1 202 Ok\r\ncontent-length: -5\r\n\r\n', 'content-length: -5'],
    ['a length without end', `HTTP/1.1 202 Ok\r\ncontent-length: ${'9'.repeat(400)}\r\n\r\n`, '999'],
    ['a status of two digits', 'HTTP/1.1 99 Ok\r\n\r\n', 'status'],
    ['a status of four digits', 'HTTP/1.1 1000 Ok\r\n\r\n', 'status'],
    ['status 000', 'HTTP/1.1 000 Ok\r\n\r\n', 'status'],
    ['another protocol', 'HTTP/2 200\r\n\r\n', 'status'],
  ])('is told to be unreadable: %s', (_name, head, told) => {
    const why = readHead(head);
    expect(why).toEqual(expect.stringContaining(told));
    expect(JSON.stringify(why).length).toBeLessThan(200);
  });

  it('is strict once it was rewritten, whatever came', () => {
    const line = fc.oneof(
      fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) }),
      fc.constantFrom(
        'Content-Length: 5',
        'content-length:5,5',
        'Transfer-Encoding: chunked',
        ' folded',
        'A : b',
        'A:b',
      ),
    );
    fc.assert(
      fc.property(fc.array(line), fc.constantFrom('\n', '\r\n'), (lines, lineBreak) => {
        const head = ['HTTP/1.1 202 Ok', ...lines.filter((text) => !/^\r?$|\n/.test(text)), '', ''].join(lineBreak);
        const answer = readHead(head);
        if (typeof answer === 'string') return;
        expect(read(answer.text)).toEqual({ status: 202, text: answer.text, plain: true });
        expect(answer.text).not.toMatch(/\0|[^\r]\n/);
      }),
    );
  });
});
