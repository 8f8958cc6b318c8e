import * as fc from 'fast-check';
import { idempotencyKey, messageHash } from './idempotency-key.js';

const installation = '3f0c5c2e-8f3b-4f6e-9a41-0a8f3b8f6e11';
const message = { recipientPhone: '+905551111111', content: 'hello', createdAt: '1763900000.123456' };

describe('messageHash', () => {
  // A literal: another hash would be another key for what was sent before an upgrade.
  it('is the same for every attempt at a message, in every version of the service', () => {
    expect(messageHash(message)).toBe('a977f68611');
    expect(messageHash({ ...message, createdAt: null })).toBe('425ce597c4');
  });

  it('differs when the recipient, the content or the time of storing differs', () => {
    const others = [
      { ...message, recipientPhone: '+905551111112' },
      { ...message, content: 'hello ' },
      { ...message, createdAt: '1763900000.123457' },
      { ...message, createdAt: null },
      { ...message, recipientPhone: '+90555111111', content: '1hello' },
    ];
    expect(new Set([message, ...others].map(messageHash)).size).toBe(others.length + 1);
  });
});

describe('idempotencyKey', () => {
  it('names the installation, the hash of the message and its id', () => {
    expect(idempotencyKey(installation, '0123456789', 42)).toBe(`${installation}-0123456789-42`);
  });

  it('differs from message to message and from installation to installation', () => {
    const one = fc.tuple(fc.uuid(), fc.string(), fc.nat());
    fc.assert(
      fc.property(one, one, ([first, x, a], [second, y, b]) => {
        const hashes = [x, y].map((content) => messageHash({ ...message, content }));
        expect(idempotencyKey(first, hashes[0] ?? '', a) === idempotencyKey(second, hashes[1] ?? '', b)).toBe(
          first === second && x === y && a === b,
        );
      }),
    );
  });

  it('is plain ASCII of a length that a header can bear', () => {
    expect(idempotencyKey(installation, messageHash(message), Number.MAX_SAFE_INTEGER)).toMatch(/^[\x21-\x7e]{1,64}$/);
  });
});
