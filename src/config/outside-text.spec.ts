import { Logger } from '@nestjs/common';
import { maskSecrets } from '../mask-secrets.js';
import { apiKeys } from './api-keys.js';
import { postgresUrl } from './database-address.js';
import type { RawValue } from './config-source.js';
import { didYouMean } from './did-you-mean.js';
import { LiveConfig } from './live-config.js';
import { LIVE_KEYS, LIVE_KEY_NAMES } from './live-keys.js';
import { maskUrl, showTarget } from './mask-url.js';
import { MemoryConfigSource } from './memory-config.source.js';
import { redisAddress } from './redis-address.js';
import { STATIC_KEYS } from './static-keys.js';
import { excerpt } from './static-values.js';

const INHERITED = Object.getOwnPropertyNames(Object.prototype);

/** Texts of 64 kB, each the worst for some shape of regular expression: of names, addresses, quotes, brackets, numbers. */
// prettier-ignore
const UNITS = [
  ';key', '&key', ' key', 'key=', ';key=', 'token=;', '=', ';', '?', '&', ' ', '\t', '\n', 'a', '0', '1,', ',', '/', '//',
  '://', '://:', '://a:', '://a:b', '@', ':@', '[', ']', '[]', '"', '\\', '\\"', "'", "password='", "password='\\", 'password=',
  'password=\\', 'whsec_', 'mdk_', 'mdk_-', '+', '+9', '%2B', '.', '-', 'a.', '_', 'host=', 'x=\'',
];
const HOSTILE = UNITS.flatMap((unit) => {
  const body = unit.repeat(Math.ceil(65_536 / unit.length));
  return [body, `postgres://${body}`, `[${body}x`, `"${body}`];
});

/** The slowest of `texts`, in milliseconds of this thread's processor time. */
function slowestMs(texts: readonly string[], run: (text: string) => unknown): number {
  let slowest = 0;
  for (const text of texts) {
    const { user, system } = process.cpuUsage();
    run(text);
    const used = process.cpuUsage({ user, system });
    slowest = Math.max(slowest, (used.user + used.system) / 1000);
  }
  return slowest;
}

const each = (schema: { safeParse(text: string): unknown }) => (text: string) => schema.safeParse(text);

describe('text from outside', () => {
  beforeAll(() => void Logger.overrideLogger(false));
  afterAll(() => void Logger.overrideLogger(['log', 'warn', 'error']));

  const readers: readonly [string, (text: string) => unknown][] = [
    ['maskUrl', maskUrl],
    ['maskSecrets', maskSecrets],
    ['showTarget', showTarget],
    ['excerpt', excerpt],
    ['didYouMean', (text) => didYouMean(text, LIVE_KEY_NAMES)],
    ['postgresUrl', each(postgresUrl)],
    ['redisAddress', each(redisAddress)],
    ['apiKeys', each(apiKeys)],
    ...LIVE_KEYS.map((key): [string, (text: string) => unknown] => [key.name, (text) => key.parse(text)]),
    // As long as they are still parsed.
    ...LIVE_KEYS.map((key): [string, (text: string) => unknown] => [
      `${key.name} of 16 kB`,
      (text) => key.parse(text.slice(0, 16_000)),
    ]),
    ...Object.values(STATIC_KEYS).map(({ variable, schema }): [string, (text: string) => unknown] => [
      variable,
      each(schema),
    ]),
  ];
  it.each(readers)('costs %s no more than its length, whatever it is', (_name, read) => {
    for (const text of HOSTILE.slice(0, 20)) read(text);
    expect(slowestMs(HOSTILE, read)).toBeLessThan(100);
  });

  it('is refused where it names what every object inherits, and harms no other key', async () => {
    for (const name of INHERITED) {
      const values = Object.fromEntries(LIVE_KEYS.map((key) => [key.name, name]));
      const source = new MemoryConfigSource({ ...values, max_attempts: '9' });
      const live = new LiveConfig([source]);
      await live.start();
      const taken = Object.entries(live.current).filter(([, value]) => value === name);
      // Any printable text is a key.
      expect([name, ...taken.map(([field]) => field)]).toEqual([name, 'webhookAuthKey']);
      expect(live.current).toMatchObject({ maxAttempts: 9, autoSending: true, onUncertain: 'hold' });
      expect(live.describe().settings.filter(({ refused }) => refused.length > 0)).toHaveLength(LIVE_KEYS.length - 2);
      for (const { schema } of Object.values(STATIC_KEYS)) {
        const { data } = schema.safeParse(name);
        expect(['undefined', 'string', 'object']).toContain(typeof data);
      }
      await live.stop();
    }
  });

  it('ends nothing when a key fails on it', async () => {
    const source = new MemoryConfigSource({ rate_limit: '7' });
    const live = new LiveConfig([source]);
    await live.start();
    const hostile: RawValue = new Proxy([], {
      get() {
        throw new TypeError('map is not a function');
      },
    });
    expect(() => source.set({ rate_limit: hostile, max_attempts: '9' })).not.toThrow();
    expect(live.current).toMatchObject({ rateLimit: 7, maxAttempts: 9 });
    expect(live.describe().settings.find(({ key }) => key === 'rate_limit')?.refused[0]?.reason).toContain(
      'cannot be read',
    );
    await live.stop();
  });
});
