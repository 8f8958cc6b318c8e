import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadStaticSettings } from './load-static-settings.js';

const HASH = 'a1'.repeat(32);
const CI = `ci:send:${HASH}`;
const OPS = `ops:read+operate:${'b2'.repeat(32)}`;
const RAW_KEY = 'mdk_Xq3v8ZkT0dYw5LrPnG7sHcUe2MbJfA9iVoKtRl4yDhE';

function load(environment: NodeJS.ProcessEnv, serve = true) {
  return loadStaticSettings({ APP_DB_URL: 'postgres://u@db/x', ...environment }, { serve });
}

function namesOf(environment: NodeJS.ProcessEnv): string[] | null {
  const { access } = load(environment);
  return access && [...access.keys, ...(access.file?.keys ?? [])].map(({ name }) => name);
}

describe('who may call', () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'keys-'))));
  afterAll(() => rmSync(folder, { recursive: true }));

  function file(text: string): string {
    const path = join(folder, `${String(text.length)}.keys`);
    writeFileSync(path, text);
    return path;
  }

  it.each(['local', 'dev'])('is everybody in %s until there are keys', (env) => {
    expect(load({ APP_ENV: env }).access).toBeNull();
    expect(namesOf({ APP_ENV: env, APP_API_KEYS: CI })).toEqual(['ci']);
  });

  it.each(['production', 'staging', 'prod', 'test'])('is nobody in %s until it is said who', (env) => {
    expect(() => load({ APP_ENV: env })).toThrow(/APP_API_KEYS or APP_API_KEYS_FILE is required .* APP_AUTH=none/);
    expect(namesOf({ APP_ENV: env, APP_API_KEYS: `${CI}, ${OPS}` })).toEqual(['ci', 'ops']);
    expect(load({ APP_ENV: env, APP_AUTH: 'none' }).access).toBeNull();
  });

  it('is everybody with APP_AUTH=none, which is a warning', () => {
    expect(load({ APP_ENV: 'production', APP_AUTH: 'none' }).warnings).toEqual([expect.stringContaining('APP_AUTH')]);
  });

  it('is asked for in local too with APP_AUTH=keys', () => {
    expect(() => load({ APP_ENV: 'local', APP_AUTH: 'keys' })).toThrow('is required because APP_AUTH is keys');
  });

  it('cannot be everybody and the holders of keys at once', () => {
    expect(() => load({ APP_AUTH: 'none', APP_API_KEYS: CI })).toThrow('APP_AUTH is none, and APP_API_KEYS would');
  });

  it('does not matter to a migration', () => {
    expect(load({ APP_ENV: 'production', APP_API_KEYS_FILE: '/nowhere' }, false).access).toBeNull();
  });

  it('takes two keys of one name, from the variable and the file together', () => {
    const path = file(`# the new one\nci:send+read:${'c3'.repeat(32)}\n\n${OPS}   # operators\n`);
    expect(namesOf({ APP_API_KEYS: CI, APP_API_KEYS_FILE: path })).toEqual(['ci', 'ci', 'ops']);
    expect(load({ APP_API_KEYS_FILE: path }).access?.file?.keys[0]?.scopes).toEqual(new Set(['send', 'read']));
  });

  it.each([
    ['a key in the place of its hash', `ci:send:${RAW_KEY}`],
    ['a key in the place of its name', `${RAW_KEY}:send:${HASH}`],
    ['a key alone', RAW_KEY],
    ['a key in the place of the scope', `ci:${RAW_KEY}:${HASH}`],
    ['a scope that there is not', `ci:write:${HASH}`],
    ['no scope', `ci::${HASH}`],
    ['half a hash', `ci:send:${HASH.slice(32)}`],
    ['something behind the hash', `${CI}:x`],
    ['one key twice', `${CI},other:read:${HASH}`],
    ['too many', Array.from({ length: 101 }, (_, n) => `ci:send:${String(n).padStart(64, '0')}`).join(',')],
    ['a comment and nothing else', '# none'],
  ])('is refused with %s, which is told without the text', (_what, text) => {
    for (const environment of [{ APP_API_KEYS: text }, { APP_API_KEYS_FILE: file(text) }]) {
      let message = '';
      try {
        load(environment);
      } catch (error) {
        message = String(error);
      }
      expect(message).toContain(Object.keys(environment)[0]);
      expect(message).not.toMatch(/Xq3v8|a1a1/);
    }
  });

  it('names a file that is not there', () => {
    expect(() => load({ APP_API_KEYS_FILE: '/nowhere/keys' })).toThrow(
      'APP_API_KEYS_FILE: /nowhere/keys cannot be read (ENOENT)',
    );
  });
});
