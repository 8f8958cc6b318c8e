import { isOutOfRoom, RequestCeiling } from './request-ceiling.js';

describe('how many requests a machine bears', () => {
  it('is what the limit of descriptors leaves beside everything else, one at least', () => {
    expect([130, 10].map((limit) => new RequestCeiling(limit).size)).toEqual([66, 1]);
    expect(new RequestCeiling(null).size).toBe(Infinity);
  });

  it('is what was open when there was no room for more', () => {
    const ceiling = new RequestCeiling(1024);
    ceiling.lower(40);
    expect(ceiling.size).toBe(40);
  });

  it.each([
    ['connect EMFILE 10.0.0.1:443', true],
    ['connect EADDRNOTAVAIL 10.0.0.1:443', true],
    ['connect ECONNREFUSED 10.0.0.1:443', false],
  ])('is the reason of %p: %p', (error, is) => expect(isOutOfRoom(error)).toBe(is));
});
