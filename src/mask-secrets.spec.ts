import { maskSecrets } from './mask-secrets.js';

describe('maskSecrets', () => {
  it.each([
    ['postgres://someone:hunter2@db:5432/x failed', 'postgres://someone:***@db:5432/x failed'],
    ['redis://:hunter2@cache:6379', 'redis://:***@cache:6379'],
    ['postgres://u:p@ss:w/rd@db/x', 'postgres://u:***@db/x'],
    ['{"message":"postgres://u:p@db","code":"x@y"}', '{"message":"postgres://u:***@db","code":"x@y"}'],
    ['host=db password=hunter2 user=u', 'host=db password=*** user=u'],
    ['?password=hunter2&sslmode=disable', '?password=***&sslmode=disable'],
    ['secrets whsec_MfKQ9r8+/Q==,whsec_x', 'secrets whsec_***,whsec_***'],
    ['to +905551111111, twice', 'to +***, twice'],
    ['?to=%2B905551111111', '?to=%2B***'],
  ])('%p becomes %p', (text, masked) => {
    expect(maskSecrets(text)).toBe(masked);
  });

  it.each(['http://localhost:8080/swagger/index.html', '2025-07-20T14:36:51.123+00:00', 'took 1234567 ms'])(
    '%p stays',
    (text) => {
      expect(maskSecrets(text)).toBe(text);
    },
  );
});
