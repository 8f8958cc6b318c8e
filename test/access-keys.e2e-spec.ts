import { execFile } from 'node:child_process';
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { bearer, entryOf } from './support/api-keys.js';
import { DispatcherProcess } from './support/dispatcher-process.js';
import { eventually } from './support/eventually.js';
import { Stage } from './support/stage.js';

const run = promisify(execFile);
const makeKey = async (...args: string[]) => (await run(process.execPath, ['dist/src/make-key.js', ...args])).stdout;

const statusOf = async (app: DispatcherProcess, key: string) =>
  (await app.request('GET', '/sent', undefined, bearer(key))).status;

describe('a key', () => {
  let stage: Stage;
  let folder: string;

  beforeAll(async () => {
    stage = await Stage.set();
    folder = await mkdtemp(join(tmpdir(), 'key-file-'));
  });
  afterAll(async () => {
    await stage.strike();
    await rm(folder, { recursive: true });
  });

  it('is made by a command, which prints what the caller and the service each need', async () => {
    const printed = await makeKey('--name', 'shop', '--scope', 'read,send');
    const [, key = ''] = /^ {4}(mdk_[\w-]{43})$/m.exec(printed) ?? [];
    const [, entry = ''] = /^ {4}(shop:read\+send:[0-9a-f]{64})$/m.exec(printed) ?? [];
    expect(await makeKey('--name', 'shop', '--scope', 'read,send')).not.toContain(key);
    const app = await stage.replica({ auto_sending: false }, { APP_API_KEYS: entry });
    expect(await statusOf(app, key)).toBe(200);
    expect((await app.request('POST', '/stop', undefined, bearer(key))).status).toBe(403);
    await app.dispose();
  });

  it.each([
    [[]],
    [['--name', 'shop']],
    [['--name', 'shop', '--scope', 'write']],
    [['--name', 'a b', '--scope', 'read']],
  ])('is not made of %j, which is told with the usage', async (args) => {
    await expect(makeKey(...args)).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('usage: npm run make-key') as unknown,
    });
  });

  it('is added, replaced and taken away in the file without a restart; a broken file changes nothing', async () => {
    const path = join(folder, 'keys');
    const [old, fresh, fixed] = ['mdk_old-one', 'mdk_fresh-one', 'mdk_fixed-one'];
    await writeFile(path, `${entryOf('ci', 'read', old)}\n`);
    const app = await stage.replica(
      { auto_sending: false },
      { APP_API_KEYS_FILE: path, APP_API_KEYS: entryOf('ops', 'read', fixed) },
    );
    expect([await statusOf(app, old), await statusOf(app, fresh), await statusOf(app, fixed)]).toEqual([200, 401, 200]);

    await appendFile(path, `# the next one\n${entryOf('ci', 'read', fresh)}\n`);
    await eventually(async () => expect(await statusOf(app, fresh)).toBe(200), 10_000);
    expect(await statusOf(app, old)).toBe(200);

    for (const broken of ['ci:read:nonsense\n', '']) {
      const warnings = () => app.lines.filter(({ message }) => message.startsWith('APP_API_KEYS_FILE changed'));
      const before = warnings().length;
      await writeFile(path, broken);
      await eventually(() => expect(warnings()).toHaveLength(before + 1), 10_000);
      expect([await statusOf(app, old), await statusOf(app, fresh)]).toEqual([200, 200]);
    }

    await writeFile(`${path}.new`, `${entryOf('ci', 'read', fresh)}\n`);
    await rename(`${path}.new`, path);
    await eventually(async () => expect(await statusOf(app, old)).toBe(401), 10_000);
    expect([await statusOf(app, fresh), await statusOf(app, fixed)]).toEqual([200, 200]);
    await app.dispose();
  });
});

it.each(['production', 'staging'])('the service refuses to start in %s without keys, in one line', async (env) => {
  const app = await DispatcherProcess.start({
    env: { APP_ENV: env, APP_DB_URL: 'postgres://u@127.0.0.1:1/x' },
    listening: false,
  });
  expect(await app.exitCode()).toBe(1);
  expect(app.lines.at(-1)?.message).toMatch(/APP_API_KEYS or APP_API_KEYS_FILE is required .*APP_AUTH=none/s);
  await app.dispose();
});
