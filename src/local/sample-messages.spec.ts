import { SAMPLE_MESSAGES } from './sample-messages.js';

describe('SAMPLE_MESSAGES', () => {
  it('fits the table, with five different fake numbers', () => {
    for (const { recipient_phone, content } of SAMPLE_MESSAGES) {
      expect(recipient_phone).toMatch(/^\+90555000000\d$/);
      expect(Array.from(content).length).toBeLessThanOrEqual(160);
      expect(content).not.toBe('');
    }
    expect(new Set(SAMPLE_MESSAGES.map((sample) => sample.recipient_phone)).size).toBe(5);
  });
});
