import { hash } from 'node:crypto';
import type { ApiKey } from '../config/api-keys.js';
import { SCOPES, type Scope } from '../required-scope.js';
import { credentialsOf, refusalOf } from './admission.js';
import { KeyRing } from './key-ring.js';

const key = (name: string, text: string, ...scopes: Scope[]): ApiKey => ({
  name,
  scopes: new Set(scopes),
  digest: hash('sha256', text, 'buffer'),
});
const ring = new KeyRing([
  key('ci', 'old', 'send'),
  key('ci', 'new', 'send'),
  key('ops', 'mdk_a-b_c', 'read', 'operate'),
]);

describe('a key', () => {
  it.each([
    ['Bearer old', 'ci'],
    ['bearer new', 'ci'],
    ['Bearer   mdk_a-b_c ', 'ops'],
    ['Bearer older', undefined],
    ['Bearer ', undefined],
    ['Bearer old new', undefined],
    ['Basic old', undefined],
    ['old', undefined],
  ])('shown as %p is that of %p', (header, name) => {
    const credentials = credentialsOf(header, ring);
    expect([credentials.shown, credentials.key?.name]).toEqual([true, name]);
  });

  it('without the word Bearer is told how it is sent', () => {
    expect(refusalOf('send', credentialsOf('old', ring))?.body.error).toContain('Authorization: Bearer <key>');
    expect(refusalOf('send', credentialsOf('Bearer older', ring))?.body.error).toContain('unknown');
  });

  it('is none after it was taken away', () => {
    const rotating = new KeyRing([key('ci', 'old', 'send')]);
    rotating.replace([key('ci', 'new', 'send')]);
    expect([rotating.find('old'), rotating.find('new')?.name]).toEqual([null, 'ci']);
  });
});

const refused = (scope: string) => [
  403,
  'auth.scope',
  `Bearer realm="message-dispatcher", error="insufficient_scope", scope="${scope}"`,
];

const verdict = (scope: Scope | 'public' | undefined, header?: string) => {
  const refusal = refusalOf(scope, credentialsOf(header, ring));
  return refusal && [refusal.status, refusal.body.code, refusal.headers?.['www-authenticate']];
};

describe('what needs a scope', () => {
  it.each(SCOPES)('is not done without a key, or with an unknown one: %s', (scope) => {
    expect(verdict(scope)).toEqual([401, 'auth.key_required', 'Bearer realm="message-dispatcher"']);
    expect(verdict(scope, 'Bearer x')).toEqual([
      401,
      'auth.unknown_key',
      'Bearer realm="message-dispatcher", error="invalid_token"',
    ]);
  });

  it('is done for a key that has the scope, and no scope includes another', () => {
    const allowed = SCOPES.map((scope) => [verdict(scope, 'Bearer new'), verdict(scope, 'Bearer mdk_a-b_c')]);
    expect(allowed).toEqual([
      [refused('read'), null],
      [null, refused('send')],
      [refused('operate'), null],
    ]);
  });

  it('is done for nobody where no scope was declared, and for everybody where it is public', () => {
    expect(verdict(undefined, 'Bearer mdk_a-b_c')).toEqual([403, 'auth.closed', undefined]);
    expect(verdict('public')).toBeNull();
  });
});
