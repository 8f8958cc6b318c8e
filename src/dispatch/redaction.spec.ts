import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { classify, excerptOf, withoutSecrets } from './delivery.js';
import { textOf } from './answer-text.js';
import { redact, type Told } from './redaction.js';

const escapesOf = (pattern: RegExp, write: (code: number) => string) => (text: string) =>
  text.replace(pattern, (unit) => write(unit.codePointAt(0) ?? 0));
const hex = (code: number, width: number) => code.toString(16).padStart(width, '0');
const bytesOf = (text: string, write: (byte: number) => string) => [...Buffer.from(text)].map(write).join('');
const NOT_PLAIN = /[^A-Za-z0-9 .]/gu;

/** What a receiver, or a proxy or framework before it, may do to what it echoes; each undone by decoding once. */
const ENCODINGS: Readonly<Record<string, (text: string) => string>> = {
  'as it is': (text) => text,
  JSON: (text) => JSON.stringify(text),
  'JSON of .NET': escapesOf(/[^A-Za-z0-9 .]/g, (code) => String.raw`\u` + hex(code, 4).toUpperCase()),
  'JSON of Go': escapesOf(/[<>&]/g, (code) => String.raw`\u` + hex(code, 4)),
  'Python bytes': (text) => text.replace(NOT_PLAIN, (c) => bytesOf(c, (byte) => String.raw`\x` + hex(byte, 2))),
  octal: (text) => text.replace(NOT_PLAIN, (c) => bytesOf(c, (byte) => `\\${byte.toString(8).padStart(3, '0')}`)),
  'code points': escapesOf(NOT_PLAIN, (code) => String.raw`\u{` + hex(code, 1) + '}'),
  URL: encodeURIComponent,
  'URL in lower case': (text) => encodeURIComponent(text).replaceAll(/%../g, (escape) => escape.toLowerCase()),
  form: (text) => new URLSearchParams({ text }).toString(),
  'every byte in a URL': (text) => bytesOf(text, (byte) => `%${hex(byte, 2)}`),
  'HTML with decimal entities': escapesOf(NOT_PLAIN, (code) => `&#${code};`),
  'HTML with hexadecimal entities': escapesOf(NOT_PLAIN, (code) => `&#x${hex(code, 2)};`),
  'HTML with names': (text) =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;').replaceAll('ç', '&ccedil;'),
  'quoted-printable': (text) =>
    text
      .replace(/[^A-Za-z0-9 ]/gu, (c) => bytesOf(c, (byte) => `=${hex(byte, 2).toUpperCase()}`))
      .replaceAll(/(?:=..|[^=]){1,70}/g, '$&=\r\n'),
  base64: (text) => Buffer.from(`user:${text}`).toString('base64'),
  'base64 in lines': (text) => Buffer.from(text).toString('base64').replaceAll(/.{76}/g, '$&\r\n'),
  base64url: (text) => Buffer.from(text).toString('base64url'),
  hexadecimal: (text) => Buffer.from(text).toString('hex'),
  'lines of 20': (text) => text.replaceAll(/.{20}/gu, '$&\n'),
  'lines of 76': (text) => text.replaceAll(/.{76}/gu, '$&\r\n  '),
  NFD: (text) => text.normalize('NFD'),
  'upper case': (text) => text.toUpperCase(),
  'pure ASCII': (text) => text.replaceAll(/[^\0-\x7f]/gu, '?'),
  'Latin-1 read as UTF-8': (text) => Buffer.from(text.replaceAll(/[^\0-\xff]/g, '?'), 'latin1').toString('utf8'),
  'UTF-8 read as Latin-1': (text) => Buffer.from(text).toString('latin1'),
};
/** These lose what others could be undone by. */
const LAST = new Set(['upper case', 'pure ASCII', 'Latin-1 read as UTF-8', 'UTF-8 read as Latin-1']);
const PACKED = new Set(['base64', 'base64 in lines', 'base64url', 'hexadecimal']);

const key = fc.string({
  unit: fc.constantFrom(...Array.from('abcXYZ0189+/=-_.%&\\"\'<> ')),
  minLength: 12,
  maxLength: 60,
});
const content = fc.string({
  unit: fc.constantFrom(...Array.from('abcdefABC0123 çğıöşüÇİ,.!"&<+%\\/😀')),
  minLength: 14,
  maxLength: 160,
});
const phone = fc.stringMatching(/^\+[1-9][0-9]{9,13}$/);
const chain = fc.array(fc.constantFrom(...Object.keys(ENCODINGS)), { minLength: 1, maxLength: 3 });

/** The letters and digits of ASCII, which no encoding above loses. */
const letters = (text: string) =>
  text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '');
const isTellingText = (text: string) => letters(text.replaceAll(/[^\0-\x7f]/g, '')).length >= 10;
const encode = (text: string, names: readonly string[]) =>
  names.reduce((said, name) => (ENCODINGS[name] ?? String)(said), text);
/** What is tried to read a secret out of a text again. */
const isIn = (text: string, secret: string) => letters(text).includes(letters(secret));

describe('redaction', () => {
  it('leaves nothing of the secrets, whatever they are and however they are encoded', () => {
    fc.assert(
      fc.property(key, phone, content, chain, (authKey, to, text, names) => {
        fc.pre(isTellingText(authKey) && isTellingText(text));
        const packs = names.filter((name) => PACKED.has(name)).length;
        fc.pre(packs <= 2 && (names.length === 1 || names.every((name) => !LAST.has(name))));
        const told: Told = { credentials: [authKey], to, content: text };
        for (const secret of [authKey, to, text]) {
          const echo = encode(secret, names);
          const kept = redact(`"echo": ${echo} (end)`, told);
          // Masked in what it is written as: nothing but separators, and ends of them, may be left of it.
          expect([names, echo, letters(kept).length < letters(echo).length]).toEqual([names, echo, true]);
          expect(isIn(kept, echo)).toBe(false);
          expect(isIn(kept, secret)).toBe(false);
        }
      }),
      { numRuns: 300 },
    );
  });

  const told: Told = {
    credentials: ['Ab+cd/Ef==gh1234'],
    to: '+905551112233',
    content: 'Şifreniz: 4711 için geçerli <giriş> kodu',
  };
  const KEY = 'Ab+cd/Ef==gh1234';
  it.each(Object.keys(ENCODINGS))('masks each of them %s', (name) => {
    for (const secret of [KEY, told.to, told.content]) {
      const kept = redact(`code 17: ${encode(secret, [name])}`, told);
      expect(kept.replaceAll(/[^A-Za-z0-9]/g, '')).toMatch(/^code17(text)?(x|u|u00|0|n)?$/i);
    }
  });

  it.each([
    '+90 555 111 22 33',
    '90-555-111-22-33',
    '(0555) 111 22 33',
    '0090.555.111.2233',
    '905 551 112233',
    '+９０５５５１１１２２３３',
    '555111\n2233',
  ])('masks the recipient grouped as %j', (written) => {
    const kept = redact(`no route to ${written}, code 4000001`, told);
    expect(kept).toContain('code 4000001');
    expect(kept.slice(0, kept.indexOf('code')).replaceAll(/\D/g, '').length).toBeLessThan(5);
  });

  it('masks what is left of a content that was cut', () => {
    for (let length = 14; length < told.content.length; length += 1) {
      const kept = redact(`too long: ${told.content.slice(0, length)}…`, told);
      expect(letters(kept.slice('too long: '.length)).length).toBeLessThan(1);
    }
  });

  it('keeps what the receiver said besides', () => {
    const said =
      '{"error":"unknown sender","docs":"https://example.com/errors/E4471?lang=en","trace":"c0ffee00-aa11-bb22"}';
    expect(redact(said, told)).toBe(said);
    expect(redact(`${said} ${KEY} retry`, told)).toBe(`${said} *** retry`);
  });

  it('withholds what could be read in too many ways', () => {
    let said = KEY;
    for (let level = 0; level < 3; level += 1)
      said = encodeURIComponent(Buffer.from(`a+${said}=41&#43;`).toString('base64'));
    expect(redact(said, told)).not.toContain(KEY);
  });

  it.each([
    ['Latin-1', 'latin1', undefined],
    ['the character set that it declares', 'latin1', 'text/plain; charset=ISO-8859-9'],
    ['UTF-16', 'utf16le', 'text/plain; charset=utf-16le'],
    ['UTF-8 that was cut in a character', 'utf8', undefined],
  ] as const)('masks an answer in %s', (_name, encoding, contentType) => {
    const echoed = { ...told, content: 'Müsteri için özel çözüm, gün içinde' };
    const bytes = Buffer.from(echoed.content, encoding);
    const body = encoding === 'utf8' ? Buffer.concat([bytes, Buffer.from('ğ').subarray(0, 1)]) : bytes;
    const reply = withoutSecrets(
      { status: 400, retryAfter: null, body: textOf(body, { 'content-type': contentType }) },
      echoed,
    );
    expect(letters(excerptOf(classify(reply, new Date()), reply) ?? '')).toBe('');
  });

  it('reads no answer that is compressed, and no binary as text', () => {
    expect(textOf(Buffer.from('x'), { 'content-encoding': 'gzip' })).toBe('(not read: the answer is compressed)');
    expect(textOf(Buffer.from([0x1f, 0x8b, 0x08, 0xff]), {})).toBe('(not read: the answer is no text)');
    expect(textOf(gzipSync('Very private words of this message'), {})).toBe('(not read: the answer is no text)');
  });

  it.each([
    ['a key in base64', JSON.stringify({ messageId: Buffer.from(`x:${KEY}`).toString('base64') })],
    ['a key in hexadecimal', JSON.stringify({ messageId: Buffer.from(KEY).toString('hex') })],
    ['a key in a URL', JSON.stringify({ messageId: encodeURIComponent(KEY) })],
  ])('takes for no id what holds %s', (_what, body) => {
    const reply = withoutSecrets({ status: 202, retryAfter: null, body }, told);
    expect(reply).toEqual({ status: 202, retryAfter: null, body: '', messageId: '***' });
  });

  it.each([
    '67f2f8a8-ea58-4ed0-a6f9-ff217df4d849',
    'SM0123456789abcdef0123456789abcdef',
    '1719055511',
    'a+b/c==',
    // A provider may make its ids of the recipient, and its reports name them.
    '905551112233-1719055511',
    told.content,
  ])('leaves the id %s', (messageId) => {
    const reply = withoutSecrets({ status: 202, retryAfter: null, body: JSON.stringify({ messageId }) }, told);
    expect(reply).toMatchObject({ messageId });
  });
});
