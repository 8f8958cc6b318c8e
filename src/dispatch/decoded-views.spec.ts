import { randomBytes } from 'node:crypto';
import { textOf } from './answer-text.js';
import { redact } from './redaction.js';

const wide = (text: string, bigEndian = false) => {
  const bytes = Buffer.from(text, 'utf16le');
  return bigEndian ? bytes.swap16() : bytes;
};
const codes = (text: string) => Array.from(text).map((character) => character.codePointAt(0) ?? 0);
const bytes = (text: string) => [...Buffer.from(text)];
const hex = (byte: number) => byte.toString(16).padStart(2, '0');
const misread = (text: string) => new TextDecoder('windows-1252').decode(Buffer.from(text));
const asText = (body: Buffer) => textOf(body, {});

/** As gateways of the phone network, and what stands before them, echo what they got. */
const ECHOES: Readonly<Record<string, (text: string) => string>> = {
  'UCS-2 in hexadecimal': (text) => wide(text, true).toString('hex').toUpperCase(),
  'UCS-2 in hexadecimal, low byte first': (text) => wide(text).toString('hex'),
  'UCS-2 in base64': (text) => wide(text, true).toString('base64'),
  'UCS-2, low byte first, in base64': (text) => wide(text).toString('base64'),
  'UTF-16': (text) => asText(wide(text)),
  'UTF-16, high byte first': (text) => asText(wide(text, true)),
  'UTF-8 read as Latin-1': (text) => Buffer.from(text).toString('latin1'),
  'UTF-8 read as Windows-1252': misread,
  'that twice': (text) => misread(misread(text)),
  'a buffer in JSON': (text) => JSON.stringify({ error: Buffer.from(text) }),
  'numbers with blanks': (text) => bytes(text).join(' '),
  'codes of characters': (text) => `String.fromCharCode(${codes(text).join(',')})`,
  'hexadecimal numbers': (text) =>
    bytes(text)
      .map((byte) => `0x${hex(byte)}`)
      .join(', '),
  'hexadecimal with blanks': (text) => bytes(text).map(hex).join(' '),
  'hexadecimal with colons': (text) => bytes(text).map(hex).join(':').toUpperCase(),
  'hexadecimal in fours': (text) => Buffer.from(text).toString('hex').replaceAll(/.{4}/g, '$& '),
  'UCS-2 in fours': (text) => wide(text, true).toString('hex').replaceAll(/.{4}/g, '$& '),
  'tags within words': (text) => `<p>${Array.from(text).join('<wbr>')}</p>`,
  'a CDATA section': (text) => `<e><![CDATA[${text.slice(0, 5)}]]>${text.slice(5)}</e>`,
  'entities with zeros': (text) =>
    codes(text)
      .map((code) => `&#0000000000${code};`)
      .join(''),
  'code points with zeros': (text) =>
    codes(text)
      .map((code) => String.raw`\u{00000000${code.toString(16)}}`)
      .join(''),
};

const CONTENTS = [
  'Ваш тайный код подтверждения готов',
  'رسالتك السرية جاهزة الآن يا صديقي',
  'Şifreniz çok gizlidir, ığüşöç paylaşmayınız',
  'Ο μυστικός κωδικός σας είναι έτοιμος',
  '您的秘密验证码已经准备好了请勿泄露',
  'Very private words of this message',
];
const PHONE = '+905551112233';
const KEY = 'AuthKeyVERY-secret+1/x';

describe('what is echoed', () => {
  it.each(Object.keys(ECHOES))('is found as %s', (name) => {
    const echo = ECHOES[name] ?? String;
    for (const content of CONTENTS) {
      const told = { credentials: [KEY], to: PHONE, content };
      for (const secret of [content, KEY, PHONE]) {
        const said = redact(echo(secret), told);
        // Nothing is left but masks, and what stands around the text: too little for a part of it.
        const left = said
          .replaceAll(/\*\*\*|\(not read: the answer is no text\)/g, '')
          .replaceAll(/<[^<>]*>|String\.fromCharCode|[\s"{}[\]():,.!<>]|error|type|Buffer|data/g, '');
        expect([name, secret, left.length > 6 ? said : '']).toEqual([name, secret, '']);
      }
    }
  });

  it('leaves ordinary answers as they are, and finds them readable', () => {
    const told = { credentials: [KEY], to: PHONE, content: CONTENTS[0] ?? '' };
    for (const answer of [
      '<html>\r\n<head><title>400 Bad Request</title></head>\r\n<body>\r\n<center><h1>400 Bad Request &amp; more</h1></center>\r\n<hr><center>nginx/1.25.3</center>\r\n</body>\r\n</html>\r\n',
      '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n<style>a{color:#d0d0d0;margin:0 10 20 30 40 50 60}</style>\n<a href="/x?a=1&amp;b=%20c=3D">Übersicht für Geräte</a></html>',
      '{"error":{"code":4001,"details":["1, 2, 3, 4, 5, 6, 7"],"at":"2026-11-28T08:00:00.000Z","mac":"00:1b:44:11:3a:b7"}}',
      'Größe überschritten: café – “voilà”',
    ]) {
      expect(redact(answer, told)).toBe(answer);
    }
  });

  it('is looked for in time, whatever it is made of', () => {
    const told = { credentials: [KEY], to: PHONE, content: CONTENTS[0] ?? '' };
    // Of the processor, not of the clock: other work on the machine does not count.
    const before = process.cpuUsage();
    for (const unit of [
      '1 ',
      '12,',
      '0x41 ',
      '&#0',
      String.raw`\u{0`,
      '<',
      '<![CDATA[',
      'Ð',
      '\u0004\u0012',
      '4142 ',
      'Ã‚',
    ]) {
      redact(unit.repeat(8_192 / unit.length), told);
    }
    for (const encoding of ['base64', 'hex'] as const) redact(randomBytes(6_000).toString(encoding), told);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(5_000);
  });
});
