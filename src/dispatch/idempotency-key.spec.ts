import * as fc from 'fast-check';
import { idempotencyKey } from './idempotency-key.js';

const installation = '3f0c5c2e-8f3b-4f6e-9a41-0a8f3b8f6e11';

describe('idempotencyKey', () => {
  it('is the same for every attempt at a message', () => {
    expect(idempotencyKey(installation, 42)).toBe(`${installation}-42`);
  });

  it('differs from message to message and from installation to installation', () => {
    const one = fc.tuple(fc.uuid(), fc.nat());
    fc.assert(
      fc.property(one, one, ([first, a], [second, b]) => {
        expect(idempotencyKey(first, a) === idempotencyKey(second, b)).toBe(first === second && a === b);
      }),
    );
  });

  it('is plain ASCII of a length that a header can bear', () => {
    expect(idempotencyKey(installation, Number.MAX_SAFE_INTEGER)).toMatch(/^[\x21-\x7e]{1,64}$/);
  });
});
