import { Logger } from '@nestjs/common';
import type { ConfigDocument } from './config-source.js';
import { LiveConfig } from './live-config.js';
import type { LiveChange } from './live-settings.js';
import { MemoryConfigSource } from './memory-config.source.js';

function setting(live: LiveConfig, key: string) {
  return live.describe().settings.find((one) => one.key === key);
}

/** A source that cannot be read until it appears. */
class LateConfigSource extends MemoryConfigSource {
  appear: () => void = () => undefined;

  override watch(onDocument: (document: ConfigDocument) => void, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.appear = () => void super.watch(onDocument, signal).then(resolve);
    });
  }
}

const held = (key: string, value: string | number | boolean) =>
  ({ key, value, source: 'memory', origin: '', version: '1', setAt: 0 }) as const;

describe('LiveConfig', () => {
  const lines: string[] = [];
  const started: LiveConfig[] = [];

  beforeEach(() => {
    lines.length = 0;
    Logger.overrideLogger({
      log: (message: unknown) => lines.push(`log ${String(message)}`),
      warn: (message: unknown) => lines.push(`warn ${String(message)}`),
      error: (message: unknown) => lines.push(`error ${String(message)}`),
    });
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((live) => live.stop()));
    Logger.overrideLogger(['log', 'warn', 'error']);
  });

  async function liveOver(...sources: readonly MemoryConfigSource[]): Promise<LiveConfig> {
    const live = new LiveConfig(sources);
    started.push(live);
    await live.start();
    return live;
  }
  const warnings = (): string[] => lines.filter((line) => line.startsWith('warn'));

  it('rests on the defaults when no source says anything', async () => {
    const live = await liveOver(new MemoryConfigSource());
    expect(live.complete).toBe(true);
    expect(live.current).toEqual({
      autoSending: true,
      rateLimit: 2,
      schedulerIntervalMs: 120_000,
      schedulerQueueCapacity: 100,
      schedulerWorkers: 1,
      webhookUrl: null,
      webhookAuthKey: null,
      webhookSigningSecrets: null,
      webhookTimeoutMs: 10_000,
      webhookConcurrency: 64,
      maxAttempts: 6,
      retryScheduleMs: [30_000, 120_000, 600_000, 3_600_000, 21_600_000],
      onUncertain: 'resend',
      eraseAfterDays: 0,
      retainSentDays: 0,
      retainParkedDays: 0,
      retainAttemptsDays: 0,
      retainActionsDays: 0,
    });
  });

  it('counts the earlier source before the later one, key by key, and falls back when a key is deleted', async () => {
    const [upper, lower] = [new MemoryConfigSource({ rate_limit: '7' }), new MemoryConfigSource({ rate_limit: '5' })];
    const live = await liveOver(upper, lower);
    expect(live.current.rateLimit).toBe(7);
    lower.set({ rate_limit: '6', max_attempts: '9' });
    expect(live.current).toMatchObject({ rateLimit: 7, maxAttempts: 9 });
    upper.set({ rate_limit: null });
    expect(live.current.rateLimit).toBe(6);
    lower.set({ rate_limit: null });
    expect(live.current.rateLimit).toBe(2);
  });

  it('keeps the last good value of a key while a bad one is there, and takes all others', async () => {
    const source = new MemoryConfigSource({ rate_limit: '7' });
    const live = await liveOver(source, new MemoryConfigSource({ rate_limit: '5' }));
    source.set({ rate_limit: '0', max_attempts: '3' });
    expect(live.current).toMatchObject({ rateLimit: 7, maxAttempts: 3 });
    expect(setting(live, 'rate_limit')).toMatchObject({
      value: 7,
      version: '0',
      refused: [{ source: 'memory', version: '1', reason: expect.stringContaining('but is "0"') as unknown }],
    });
    source.set({ rate_limit: null });
    expect(live.current.rateLimit).toBe(5);
    expect(setting(live, 'rate_limit')?.refused).toEqual([]);
  });

  it('falls to the next source when there never was a good value', async () => {
    const source = new MemoryConfigSource({ rate_limit: 'abc' });
    const live = await liveOver(source, new MemoryConfigSource({ rate_limit: '5' }));
    expect(live.current.rateLimit).toBe(5);
  });

  it('warns of a refused value once, for as long as it stays the same', async () => {
    const source = new MemoryConfigSource();
    await liveOver(source);
    for (const raw of ['0', '0', '0', 'x']) source.set({ rate_limit: raw, max_attempts: '5' });
    expect(warnings()).toHaveLength(2);
    source.set({ rate_limit: '3' });
    source.set({ rate_limit: 'x' });
    expect(warnings()).toHaveLength(3);
  });

  it('names an unknown key once, with the nearest known one', async () => {
    const source = new MemoryConfigSource({ rate_limt: '3' });
    const live = await liveOver(source);
    source.set({ max_attempts: '5' });
    expect(warnings()).toEqual([expect.stringContaining('did you mean rate_limit?')]);
    expect(live.describe().sources[0]?.unknownKeys).toEqual(['rate_limt']);
  });

  it('tells subscribers both frozen snapshots and the fields that differ, within the turn of the change', async () => {
    const source = new MemoryConfigSource();
    const live = await liveOver(source);
    const changes: LiveChange[] = [];
    const unsubscribe = live.onChange((change) => changes.push(change));
    const before = live.current;
    source.set({ rate_limit: '9', scheduler_interval: '7', max_attempts: '6' });
    expect(changes).toHaveLength(1);
    expect(changes[0]?.before).toBe(before);
    expect(changes[0]?.after).toBe(live.current);
    expect(changes[0]?.keys).toEqual(new Set(['rateLimit', 'schedulerIntervalMs']));
    expect(Object.isFrozen(live.current)).toBe(true);
    source.set({ rate_limit: '"9"', retry_schedule: '30,120,600,3600,21600' });
    expect(changes.map(({ keys }) => keys.size)).toEqual([2, 0]);
    unsubscribe();
    source.set({ rate_limit: '10' });
    expect(changes).toHaveLength(2);
  });

  it('tells the others and goes on when a subscriber throws', async () => {
    const source = new MemoryConfigSource();
    const live = await liveOver(source);
    const seen: number[] = [];
    live.onChange(() => {
      throw new Error('mine');
    });
    live.onChange(({ after }) => seen.push(after.rateLimit));
    source.set({ rate_limit: '3' });
    source.set({ rate_limit: '4' });
    expect(seen).toEqual([3, 4]);
    expect(lines.filter((line) => line.startsWith('error'))).toHaveLength(2);
  });

  it('logs what is in force at the start and every change, and no secret in any line or report', async () => {
    const source = new MemoryConfigSource({ webhook_auth_key: 's3cret-1', webhook_url: 'http://u:s3cret-0@h/' });
    const live = await liveOver(source);
    source.set({ webhook_auth_key: 's3cret-2', rate_limit: '5' });
    source.set({ webhook_auth_key: 's3cret-3\n\u0000', rate_limit: '5' });
    source.set({ webhook_auth_key: Buffer.from('s3cret-4\u00ff', 'latin1') });
    expect(live.current.webhookAuthKey).toBe('s3cret-2');
    expect(lines).toContainEqual(expect.stringContaining('webhook_auth_key="***" (memory)'));
    expect(lines).toContainEqual('log webhook_auth_key: "***" → "***" (memory, version 1)');
    expect(lines).toContainEqual('log rate_limit: 2 → 5 (memory, version 1)');
    expect(lines.join('\n') + JSON.stringify(live.describe())).not.toContain('s3cret');
  });

  it('uses the fallback for webhook_url until a source has one', async () => {
    const source = new MemoryConfigSource();
    const live = await liveOver(source);
    live.setSandbox({ url: 'http://127.0.0.1:1/sandbox', byDefault: true });
    expect(live.current.webhookUrl).toBe('http://127.0.0.1:1/sandbox');
    source.set({ webhook_url: 'http://h/' });
    expect(live.current.webhookUrl).toBe('http://h/');
    source.set({ webhook_url: null });
    expect(live.current.webhookUrl).toBe('http://127.0.0.1:1/sandbox');
  });

  it('tells subscribers when the last source was read, even if no value changed with it', async () => {
    const late = new LateConfigSource();
    const live = new LiveConfig([late, new MemoryConfigSource({ rate_limit: '5', on_uncertain: 'hold' })], 20);
    started.push(live);
    const changes: LiveChange[] = [];
    live.onChange((change) => changes.push(change));
    await live.start();
    expect(live.complete).toBe(false);
    expect(live.current.rateLimit).toBe(5);
    expect(warnings()).toEqual([expect.stringContaining('memory could not be read yet')]);
    late.appear();
    expect(live.complete).toBe(true);
    expect(changes.map(({ keys }) => [...keys])).toEqual([['rateLimit'], []]);
  });

  it('hears nothing more after it was stopped', async () => {
    const source = new MemoryConfigSource();
    const live = await liveOver(source);
    await live.stop();
    source.set({ rate_limit: '3' });
    expect(live.current.rateLimit).toBe(2);
  });

  it('warns of each unknown key once, and of very many in one line', async () => {
    const source = new MemoryConfigSource({ rate_limt: '1' });
    await liveOver(source);
    expect(warnings()).toEqual([expect.stringContaining('did you mean rate_limit?')]);
    for (let count = 1; count <= 300; count += 1) source.set({ [`key-${count % 30}-${count}`]: '1' });
    expect(warnings().length).toBeLessThanOrEqual(21);
    expect(warnings().at(-1)).toContain('are not live settings and change nothing');
    const values = Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => [`key-${(index + 1) % 30}-${index + 1}`, null]),
    );
    source.set({ ...values, rate_limt: null });
    source.set({ rate_limt: '1' });
    expect(warnings().at(-1)).toContain('did you mean rate_limit?');
  });

  async function blindOver(file: Readonly<Record<string, string>>) {
    const late = new LateConfigSource();
    const live = new LiveConfig([late, new MemoryConfigSource(file)], 20);
    started.push(live);
    await live.start();
    return { late, live };
  }

  describe('what is unknown', () => {
    it('is not the default: a source that was not read decides nothing, uncertain messages are held, and nothing is sent', async () => {
      const file = { auto_sending: 'true', webhook_url: 'http://h/', on_uncertain: 'resend', rate_limit: '5' };
      const { late, live } = await blindOver(file);
      expect(live.current).toMatchObject({ webhookUrl: null, onUncertain: 'hold', rateLimit: 5 });
      expect(live.isDecided('auto_sending')).toBe(false);
      expect(live.candidate('auto_sending')).toBeNull();
      expect(live.sendingObstacle).toContain('webhook_url is unknown');
      expect(live.notes).toContainEqual(expect.stringContaining('auto_sending is unknown'));
      expect(setting(live, 'on_uncertain')).toMatchObject({
        value: 'hold',
        unknown: expect.stringContaining('has not been read yet') as unknown,
      });
      late.appear();
      expect(live.current).toMatchObject({ webhookUrl: 'http://h/', onUncertain: 'resend' });
      expect([live.sendingObstacle, live.notes]).toEqual([null, []]);
      expect(live.candidate('auto_sending')).toMatchObject({ value: true });
    });

    it('is a refused value that never was good, and no other key', async () => {
      const values = {
        auto_sending: 'flase',
        on_uncertain: 'Hold!',
        scheduler_interval: '3600s',
        webhook_auth_key: 'x\ny',
      };
      const live = await liveOver(
        new MemoryConfigSource(values),
        new MemoryConfigSource({ auto_sending: 'true', rate_limit: '5', webhook_url: 'http://h/' }),
      );
      for (const name of ['auto_sending', 'on_uncertain', 'scheduler_interval'])
        expect(live.candidate(name)).toBeNull();
      expect(live.candidate('rate_limit')).toMatchObject({ value: 5 });
      // A request without its key would be refused.
      expect(live.current).toMatchObject({ onUncertain: 'hold', webhookUrl: null });
      expect(live.sendingObstacle).toContain('webhook_auth_key is unknown');
    });

    it('is not what was known before: a value that is refused at run time changes nothing, whichever source had the good one', async () => {
      const etcd = new MemoryConfigSource();
      const values = { webhook_url: 'http://h/', webhook_auth_key: 'k', rate_limit: '5', on_uncertain: 'resend' };
      const live = await liveOver(etcd, new MemoryConfigSource(values));
      const before = live.current;
      etcd.set({
        webhook_url: 'h',
        webhook_auth_key: 'x\ny',
        rate_limit: 'abc',
        on_uncertain: 'Hold!',
        auto_sending: 'no',
      });
      expect(live.current).toEqual(before);
      expect(live.sendingObstacle).toBeNull();
      expect(setting(live, 'webhook_url')?.refused).toHaveLength(1);
      etcd.set({ webhook_url: 'http://i/' });
      expect(live.current.webhookUrl).toBe('http://i/');
    });

    it('is what the fleet last agreed on, which decides nothing for others, until the source is read', async () => {
      const { late, live } = await blindOver({ rate_limit: '5' });
      live.setFleet([
        held('auto_sending', false),
        held('on_uncertain', 'resend'),
        held('rate_limit', 9),
        held('max_attempts', -1),
      ]);
      expect(live.current).toMatchObject({ autoSending: false, onUncertain: 'resend', rateLimit: 9, maxAttempts: 6 });
      expect(setting(live, 'rate_limit')).toMatchObject({ value: 9, source: 'fleet' });
      expect(live.candidate('auto_sending')).toBeNull();
      expect(live.isDecided('auto_sending')).toBe(true);
      late.set({ rate_limit: '3' });
      late.appear();
      expect(live.current).toMatchObject({ autoSending: true, rateLimit: 3 });
      expect(setting(live, 'auto_sending')).toMatchObject({
        value: true,
        fleet: { value: false },
        difference: expect.stringContaining('replicas disagree') as unknown,
      });
    });
  });

  it('sends to the sandbox where it is asked for, and by default only where it is the default', async () => {
    const source = new MemoryConfigSource();
    const live = await liveOver(source);
    live.setSandbox({ url: 'http://127.0.0.1:1/sandbox', byDefault: false });
    expect(live.current.webhookUrl).toBeNull();
    expect(live.sendingObstacle).toContain('webhook_url is not set');
    source.set({ webhook_url: 'sandbox' });
    expect(live.current.webhookUrl).toBe('http://127.0.0.1:1/sandbox');
    expect(setting(live, 'webhook_url')?.value).toBe('sandbox');
    const elsewhere = await liveOver(new MemoryConfigSource({ webhook_url: 'sandbox' }));
    expect(elsewhere.current.webhookUrl).toBeNull();
    expect(elsewhere.sendingObstacle).toContain('only APP_ENV=local has');
  });
});
