import { Logger } from '@nestjs/common';
import { credentialsOf } from '../src/access/admission.js';
import { KeyRing } from '../src/access/key-ring.js';
import { correlationIdOf } from '../src/correlation.js';
import { retryAfterMs, withoutSecrets } from '../src/dispatch/delivery.js';
import { messageIdIn } from '../src/dispatch/provider-id.js';
import { contentFault, phoneFault } from '../src/messages/message-rules.js';
import { fromCursor } from '../src/messages/sent-cursor.js';
import { parseYamlMapping } from '../src/config/read-yaml-file.js';
import { maskSecrets } from '../src/mask-secrets.js';
import { apiKeys } from '../src/config/api-keys.js';
import { postgresUrl } from '../src/config/database-address.js';
import type { RawValue } from '../src/config/config-source.js';
import { didYouMean } from '../src/config/did-you-mean.js';
import { LiveConfig } from '../src/config/live-config.js';
import { LIVE_KEYS, LIVE_KEY_NAMES } from '../src/config/live-keys.js';
import { maskUrl, showTarget } from '../src/config/mask-url.js';
import { MemoryConfigSource } from '../src/config/memory-config.source.js';
import { redisAddress } from '../src/config/redis-address.js';
import { STATIC_KEYS } from '../src/config/static-keys.js';
import { excerpt } from '../src/config/static-values.js';

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

const LONG_MS = 375;

/** The slowest of `texts`, in milliseconds of this thread's processor time. */
function slowestMs(texts: readonly string[], run: (text: string) => unknown): number {
  let slowest = 0;
  for (const text of texts) {
    // Measured again where it was long: a collection of garbage or a compilation beside it is not its cost.
    let leastMs = Infinity;
    for (let tries = 0; tries < 3 && leastMs > LONG_MS; tries += 1) {
      const { user, system } = process.cpuUsage();
      run(text);
      const used = process.cpuUsage({ user, system });
      leastMs = Math.min(leastMs, (used.user + used.system) / 1000);
    }
    slowest = Math.max(slowest, leastMs);
  }
  return slowest;
}

function yamlOf(text: string): unknown {
  try {
    return parseYamlMapping(text);
  } catch {
    return null;
  }
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
    ['fromCursor', (text) => fromCursor(Buffer.from(text).toString('base64url'))],
    ['retryAfterMs', (text) => retryAfterMs(text, new Date(0))],
    ['messageIdIn', (text) => messageIdIn(`{"messageId":${text}`)],
    ['phoneFault', phoneFault],
    ['contentFault', contentFault],
    ['correlationIdOf', (text) => correlationIdOf({ 'x-correlation-id': text })],
    ['credentialsOf', (text) => credentialsOf(`Bearer ${text}`, new KeyRing([]))],
    [
      'withoutSecrets',
      (text) =>
        withoutSecrets(
          { status: 400, retryAfter: null, body: text },
          { credentials: ['s3cret', text.slice(0, 64)], to: '+905551111111', content: text.slice(0, 160) },
        ),
    ],
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
    for (const text of HOSTILE.slice(0, 8)) read(text);
    // What goes back and forth over 64 kB takes seconds. Tests run some ten times as slow as the service.
    expect(slowestMs(HOSTILE, read)).toBeLessThan(750);
  });

  it('costs a YAML file of the longest legal length less than what anybody would notice', () => {
    // The parser goes on after errors, which takes longer than its length; before, minutes.
    expect(slowestMs(HOSTILE, (text) => yamlOf(text.slice(0, 32_768)))).toBeLessThan(2_000);
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
    const source = new MemoryConfigSource({ retry_schedule: '7' });
    const live = new LiveConfig([source]);
    await live.start();
    const hostile: RawValue = new Proxy([], {
      get() {
        throw new TypeError('map is not a function');
      },
    });
    expect(() => source.set({ retry_schedule: hostile, max_attempts: '9' })).not.toThrow();
    expect(live.current).toMatchObject({ retryScheduleMs: [7000], maxAttempts: 9 });
    expect(live.describe().settings.find(({ key }) => key === 'retry_schedule')?.refused[0]?.reason).toContain(
      'cannot be read',
    );
    await live.stop();
  });
});
