import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unwatchFile,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { stringify } from 'yaml';
import { LiveConfig } from '../src/config/live-config.js';
import { MemoryConfigSource } from '../src/config/memory-config.source.js';
import { YamlConfigSource } from '../src/config/yaml-config.source.js';
import { describeConfigSource } from './config-source.contract.js';
import { eventually } from './support/eventually.js';

Logger.overrideLogger(false);

describeConfigSource('MemoryConfigSource', () => {
  const source = new MemoryConfigSource();
  let keys: readonly string[] = [];
  const write = (values: Readonly<Record<string, string>>) => {
    source.set({ ...Object.fromEntries(keys.map((key) => [key, null])), ...values });
    keys = Object.keys(values);
    return Promise.resolve();
  };
  return Promise.resolve({ source, write, close: () => Promise.resolve() });
});

describeConfigSource('YamlConfigSource', () => {
  const folder = mkdtempSync(join(tmpdir(), 'yaml-source-'));
  const path = join(folder, 'dynamic_config.yaml');
  const write = (values: Readonly<Record<string, string>>) => {
    writeFileSync(path, `# settings\n${stringify(values)}`);
    return Promise.resolve();
  };
  const close = () => Promise.resolve(rmSync(folder, { recursive: true }));
  return Promise.resolve({ source: new YamlConfigSource(path), write, close });
});

describe('the watched YAML file', () => {
  let folder: string;
  let path: string;
  let live: LiveConfig;
  const warnings: string[] = [];
  const source = () => live.describe().sources[0];
  const rateLimitIs = (value: number) => eventually(() => expect(live.current.rateLimit).toBe(value));

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'yaml-file-'));
    path = join(folder, 'dynamic_config.yaml');
    warnings.length = 0;
    Logger.overrideLogger({
      log: () => undefined,
      warn: (message: unknown) => warnings.push(String(message)),
      error: (message: unknown) => warnings.push(String(message)),
    });
  });
  afterEach(async () => {
    await live.stop();
    rmSync(folder, { recursive: true });
  });

  async function start(text: string | null): Promise<void> {
    if (text !== null) writeFileSync(path, text);
    live = new LiveConfig([new YamlConfigSource(path)]);
    await live.start();
  }

  it('counts after a write in place', async () => {
    await start('rate_limit: 3\n');
    expect(live.current.rateLimit).toBe(3);
    writeFileSync(path, 'rate_limit: 4\n');
    await rateLimitIs(4);
    writeFileSync(path, '# nothing\n');
    await eventually(() => expect(live.current.rateLimit).toBe(2), 15_000);
    expect(warnings).toEqual([]);
  });

  it('removes no key while a file is being written line by line, and one that is really gone once it is quiet', async () => {
    const lines = ['on_uncertain: hold', 'max_attempts: 9', 'webhook_concurrency: 5', 'rate_limit: 3'];
    const seen = new Set<string>();
    await start(lines.join('\n'));
    live.onChange(({ after }) => seen.add(`${after.onUncertain} ${after.maxAttempts} ${after.rateLimit}`));
    writeFileSync(path, 'rate_limit: 4\n');
    await rateLimitIs(4);
    for (const line of lines.slice(0, 2)) {
      appendFileSync(path, `${line}\n`);
      await eventually(() => expect(source()?.version).toBe(statSync(path).mtime.toISOString()));
    }
    await eventually(() => expect(live.current.webhookConcurrency).toBe(64), 15_000);
    expect([...seen]).toEqual(['hold 9 4']);
    expect(live.current).toMatchObject({ onUncertain: 'hold', maxAttempts: 9, rateLimit: 4 });
  });

  it('counts after an editor wrote another file and renamed it, time and again', async () => {
    await start('rate_limit: 3\n');
    for (const value of [4, 5, 6]) {
      writeFileSync(`${path}~`, `rate_limit: ${value}\n`);
      renameSync(`${path}~`, path);
      await rateLimitIs(value);
    }
  });

  it('counts after the symlinks of a ConfigMap were swapped', async () => {
    for (const version of ['1', '2']) {
      mkdirSync(join(folder, `..${version}`));
      writeFileSync(join(folder, `..${version}`, 'dynamic_config.yaml'), `rate_limit: ${Number(version) + 10}\n`);
    }
    symlinkSync('..1', join(folder, '..data'));
    symlinkSync(join('..data', 'dynamic_config.yaml'), path);
    await start(null);
    expect(live.current.rateLimit).toBe(11);
    // The look from time to time would find it, too.
    unwatchFile(path);
    symlinkSync('..2', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    await rateLimitIs(12);
    expect(warnings).toEqual([]);
  });

  it('counts once it appears, when it was absent at the start', async () => {
    await start(null);
    expect(live.complete).toBe(true);
    expect(warnings).toEqual([]);
    writeFileSync(path, 'rate_limit: 8\n');
    await rateLimitIs(8);
  });

  it('leaves the last good values in force while it is broken, and warns once', async () => {
    await start('rate_limit: 3\nmax_attempts: 9\n');
    writeFileSync(path, 'rate_limit: 4\nmax_attempts: [s3cret\n');
    await eventually(() => expect(source()?.problem).toContain('not valid YAML'));
    writeFileSync(path, 'rate_limit: 5\nmax_attempts: [s3cret\n');
    writeFileSync(join(folder, 'other'), '');
    expect(live.current).toMatchObject({ rateLimit: 3, maxAttempts: 9 });
    writeFileSync(path, 'rate_limit: 6\nmax_attempts: 9\n');
    await rateLimitIs(6);
    expect(source()).toMatchObject({ connected: true, problem: null });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).not.toContain('s3cret');
  });

  it('leaves the last good values in force when it vanishes or is emptied', async () => {
    await start('rate_limit: 3\n');
    rmSync(path);
    await eventually(() => expect(source()).toMatchObject({ connected: false, problem: 'there is no such file' }));
    writeFileSync(path, '');
    await eventually(() => expect(source()?.problem).toContain('it is empty'));
    expect(live.current.rateLimit).toBe(3);
    writeFileSync(path, 'rate_limit: 3\n');
    await eventually(() => expect(source()).toMatchObject({ connected: true, problem: null }));
    writeFileSync(path, 'rate_limit: 7\n');
    await rateLimitIs(7);
  });

  it('refuses one bad value and takes the others', async () => {
    await start('rate_limit: 3\n');
    writeFileSync(path, 'rate_limit: 0x10\nmax_attempts: 9\n');
    await eventually(() => expect(live.current.maxAttempts).toBe(9));
    expect(live.current.rateLimit).toBe(3);
    expect(warnings).toEqual([
      expect.stringContaining('rate_limit must be a whole number from 1 to 1000000, but is "0x10"'),
    ]);
  });

  it.each([
    ['broken', 'auto_sending: false\nrate_limit: ['],
    ['tagged', 'webhook_auth_key: !vault s3cret'],
    ['empty, as if a write had just begun', ''],
  ])(
    'leaves everything unknown when it is %s from the start, says so, and counts once it can be read',
    async (_how, text) => {
      await start(text);
      expect(live.complete).toBe(false);
      expect(live.candidate('auto_sending')).toBeNull();
      expect(live.current).toMatchObject({ onUncertain: 'hold', webhookUrl: null });
      expect(warnings).toEqual([
        expect.stringContaining('unknown until it can be read'),
        expect.stringContaining('file could not be read yet'),
      ]);
      expect(warnings.join()).not.toContain('s3cret');
      writeFileSync(path, 'auto_sending: false\nrate_limit: 4\n');
      await rateLimitIs(4);
      expect(live.candidate('auto_sending')).toMatchObject({ value: false });
      expect(live.current.onUncertain).toBe('resend');
    },
  );

  it('is not taken half written at the start', async () => {
    writeFileSync(path, 'rate_limit: 3\n');
    const writing = setTimeout(() => writeFileSync(path, 'rate_limit: 3\nauto_sending: false\n'), 30);
    live = new LiveConfig([new YamlConfigSource(path)]);
    await live.start();
    clearTimeout(writing);
    expect(live.candidate('auto_sending')).toMatchObject({ value: false });
  });
});
