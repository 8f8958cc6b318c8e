import { Elsewhere } from './elsewhere.js';

describe('what gets through elsewhere', () => {
  it('is known once the newest success has advanced, for a minute, until something gets through here', () => {
    const elsewhere = new Elsewhere();
    elsewhere.looked(-Infinity, 0);
    expect(elsewhere.works(0)).toBe(false);
    elsewhere.looked(5, 1_000);
    elsewhere.looked(5, 2_000);
    expect(elsewhere.works(60_999)).toBe(true);
    expect(elsewhere.works(61_000)).toBe(false);
    elsewhere.looked(6, 70_000);
    elsewhere.forget();
    elsewhere.looked(7, 71_000);
    expect(elsewhere.works(71_000)).toBe(false);
  });
});
